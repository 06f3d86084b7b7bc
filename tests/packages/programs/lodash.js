import _ from 'lodash';

export default ({ people }) => ({
    grouped: _.mapValues(_.groupBy(people, 'city'), list => _.map(_.orderBy(list, ['age'], ['desc']), 'name')),
    deep: _.merge({ a: [{ b: 1 }] }, { a: [{ c: 2 }] }),
    cloned: _.isEqual(_.cloneDeep(people), people),
    chunks: _.chunk(_.range(7), 3),
    words: [_.camelCase('hello big world'), _.kebabCase('helloBigWorld'), _.startCase('a_b'), _.deburr('déjà')],
    chained: _(people).filter(p => p.age > 30).map('name').join('|'),
    debounced: typeof _.debounce(() => 1, 10),
    memoized: _.memoize(n => n * 2)(21),
});
