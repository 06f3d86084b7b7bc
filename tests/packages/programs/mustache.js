import Mustache from 'mustache';

export default ({ people }) => Mustache.render(
    '{{#people}}{{> row}}{{/people}}{{^none}}none & nothing{{/none}}',
    { people, shout: () => (text, render) => render(text).toUpperCase() },
    { row: '{{#shout}}{{name}}{{/shout}}: {{age}} {{{city}}} {{& city}}\n' },
);
