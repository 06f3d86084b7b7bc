import * as yaml from 'js-yaml';

export default ({ people }) => {
    const text = yaml.dump({ people, nested: { list: [[1, 2], { a: null }], text: 'two\nlines', quoted: 'yes: no' } });
    const wrong = (() => { try { return yaml.load('a: [1, 2') } catch (error) { return error.name } })();
    return { text, back: yaml.load(text), anchors: yaml.load('a: &x {b: 1}\nc: *x\nd: 0x1f\ne: 1e3'), wrong };
};
