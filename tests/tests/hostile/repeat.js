// Object code: a few hundred things that an engine could answer differently at another time, by `args.seed`.
(args, power) => {
    let state = args.seed >>> 0 || 1;
    const next = () => { state ^= state << 13; state >>>= 0; state ^= state >>> 17; state ^= state << 5; state >>>= 0; return state };
    const pick = list => list[next() % list.length];
    const real = () => pick([next(), next() / 7, -next() / 1e9, next() * 1e300, next() / 1e320, 0.1 * (next() % 9), -0, 2 ** (next() % 1024)]);
    const seen = [];
    const say = run => { try { const got = run(); seen.push(typeof got === 'string' ? got : Object.is(got, -0) ? '-0' : String(got)) } catch (error) { seen.push(String(error)) } };
    const maths = Object.getOwnPropertyNames(Math).filter(name => typeof Math[name] === 'function');
    for (let n = 0; n < 60; n++) { const [f, a, b] = [pick(maths), real(), real()]; say(() => f + Math[f](a, b)) }
    for (let n = 0; n < 20; n++) { const x = real(); say(() => x.toString(2 + next() % 35)); say(() => x.toFixed(next() % 30)); say(() => x.toPrecision(1 + next() % 30)); say(() => x.toExponential(next() % 30)); say(() => x.toLocaleString()) }
    for (let n = 0; n < 20; n++) { const d = new Date(real() % 8.64e15); say(() => d.toISOString() + d + d.toLocaleString() + d.getTimezoneOffset() + d.toUTCString() + JSON.stringify(d)) }
    for (const text of ['1970', '2020-02-30', '2020-01-01T00:00', 'Jan 1 2000', '1 January 2000 10:00 GMT+0100', '2020/1/1', 'x', '+010000-01-01T00:00:00Z', 'Tue, 05 Nov 2019 12:34:56 EST']) say(() => Date.parse(text));
    const objects = {};
    for (let n = 0; n < 40; n++) { const key = pick(['a', 'b', 'k' + next() % 50, next() % 20, -1, 4294967295, '01', Symbol('s')]); if (next() % 5) objects[key] = n; else delete objects[key] }
    say(() => JSON.stringify(Object.entries(objects)) + Reflect.ownKeys(objects).map(String));
    const keyed = new Map(), held = new Set();
    for (let n = 0; n < 60; n++) { const key = pick([{ n }, () => n, 'k' + next() % 9, next() % 9, NaN, -0, null, Symbol.for('x')]); keyed.set(key, n); held.add(key); if (!(next() % 6)) keyed.delete([...held][next() % held.size]) }
    say(() => [...keyed.values()].join() + [...held].map(String).join());
    say(() => Array.from({ length: 200 }, (_, n) => ({ n, k: next() % 7 })).sort((x, y) => x.k - y.k).map(x => x.n).join());
    say(() => Array.from({ length: 50 }, () => pick([1, 'b', undefined, 'a', null, 10, 9, real()])).sort().map(String).join());
    say(() => Array.from({ length: 50 }, () => next() % 9).sort(() => next() % 3 - 1).join());
    say(() => [...'a\u0308ßİıΣς'].map(c => c.toUpperCase() + c.toLowerCase() + c.normalize('NFKD') + c.localeCompare('s')).join());
    say(() => [...'The quick brown fox'.matchAll(/(?<w>\w)(\w+)?/giu)].map(m => JSON.stringify(m) + JSON.stringify(m.groups)).join());
    for (let n = 0; n < 10; n++) { const [a, b] = [BigInt(next()) ** BigInt(next() % 20), BigInt(next()) + 1n]; say(() => `${a / b}${a % b}${a << 3n}${BigInt.asIntN(61, a)}${(a * b).toString(36)}`) }
    say(() => [...new Uint8Array(new Float64Array([real(), NaN, -NaN, Infinity - Infinity, 0 / 0, Math.sqrt(-1)]).buffer)].join());
    say(() => [...new Uint8Array(new Float32Array([real(), NaN, -0]).buffer)].join() + Math.f16round?.(real()));
    say(() => { try { null.x } catch (error) { return error.stack + error.message } });
    say(() => { const f = n => f(n + 1); try { f(0) } catch (error) { return error.name + error.message } });
    say(() => { const order = []; for (const key in Object.create({ z: 1, 1: 1 }, { b: { value: 1, enumerable: true }, 0: { value: 1, enumerable: true } })) order.push(key); return order.join() });
    say(() => String(function f(a, /* c */ b) { return a }) + (class A { static x = 1 }) + Math.max + Symbol('q').toString() + Object.prototype.toString.call(power));
    say(() => power.clock() + power.random(8) + power.random(8));
    power.memory[`k${args.seed % 5}`] = seen.length;
    power.memory[args.seed % 3] = { last: seen.at(-1) };
    power.log(seen.length, seen[0]);
    Promise.all([1, 2, 3].map(async n => { await null; if (n === next() % 4) await null; seen.push('job' + n) })).then(() => { power.memory.jobs = seen.slice(-3).join() });
    return seen;
}
