import * as d3 from 'd3-array';

export default ({ people }) => ({
    extent: d3.extent(people, p => p.age),
    quantiles: [0.1, 0.5, 0.9].map(q => d3.quantile(people.map(p => p.age), q)),
    rollup: [...d3.rollup(people, list => d3.sum(list, p => p.age), p => p.city)],
    bins: d3.bin().thresholds(3)(people.map(p => p.age)).map(bin => [bin.x0, bin.x1, bin.length]),
    ticks: d3.ticks(0, 1, 5),
    index: [...d3.index(people, p => p.name).keys()],
    deviation: d3.deviation(people, p => p.age),
    bisected: d3.bisect([1, 2, 3, 5], 3),
    fsum: d3.fsum([0.1, 0.2, 0.3, -0.6]),
});
