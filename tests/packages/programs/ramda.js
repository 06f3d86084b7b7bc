import * as R from 'ramda';

export default ({ people }) => ({
    oldest: R.pipe(R.sortBy(R.prop('age')), R.last, R.pick(['name']))(people),
    by: R.groupBy(R.prop('city'), people),
    lens: R.over(R.lensPath([0, 'age']), R.inc, people),
    sums: R.transduce(R.compose(R.map(R.prop('age')), R.filter(age => age > 30)), R.add, 0, people),
    evolved: R.evolve({ a: R.toUpper, b: R.map(R.negate) }, { a: 'x', b: [1, -2] }),
    curried: R.curry((a, b, c) => a + b + c)(1)(R.__, 3)(2),
    equal: R.equals(people, R.clone(people)),
});
