// Object code: does `args.steps` things at random, chosen by `args.seed`, to whatever it can reach.
//
// Functions of all kinds are called and constructed with receivers and arguments that were not meant for them;
// properties are set, defined, deleted; what comes back joins what can be chosen.
(args, power) => {
    let state = args.seed >>> 0 || 1;
    const pick = list => {
        state ^= state << 13; state >>>= 0; state ^= state >>> 17; state ^= state << 5; state >>>= 0;
        return list[state % list.length];
    };
    const { getOwnPropertyDescriptor, getPrototypeOf, setPrototypeOf, defineProperty, assign } = Object;
    const { apply, construct, ownKeys, set, deleteProperty } = Reflect;
    const mirror = getPrototypeOf(globalThis);
    const values = [
        undefined, null, true, 0, -1, 1, 2, 7, 1.5, NaN, -0, 100, '', 'a', 'length', 'constructor', '__proto__', 'then', 'mark', 1n, -3n,
        Symbol.iterator, Symbol.species, Symbol.toPrimitive, Symbol.toStringTag, Symbol.for('mark'), {}, [], [1, 2, 3], { length: 3, 0: 1 },
        () => 1, function () { return this }, class { #p = 1; static s = 1 }, x => x, () => { throw 1 }, function* () { yield 1 }, async () => 1,
        { get mark() { return 1 }, set mark(x) {} }, { valueOf() { return 1 } }, { [Symbol.toPrimitive]: () => 'mark' },
        new Proxy({}, {}), new Proxy(function () {}, {}), new Map([[1, 2]]), new Set([1]), new Uint8Array(8), new ArrayBuffer(8, { maxByteLength: 16 }),
        new DataView(new ArrayBuffer(8)), /a(b)?/g, new Date(0), new Error('x'), Promise.resolve(1), [1].values(), (function* () { yield 1 })(),
        (async function* () { yield 1 })(), Object.create(null), args, power, power.memory, power.list, power.ref, power.clock, power.random,
        globalThis, mirror, (s => s)`t${1}`, { __proto__: Array.prototype, length: 1 }, { done: false, value: 1 }, { next: () => ({ done: true }) },
        (function () { return arguments })(1, 2), Object(1n), Object('s'), new (class A extends Array {})(2), new WeakMap(), new WeakSet(),
    ];
    const reached = new Set(values.filter(value => Object(value) === value));
    for (const object of reached) {
        if (object instanceof Promise && reached.size > 2000) break;
        const proto = getPrototypeOf(object);
        if (proto) reached.add(proto);
        for (const key of ownKeys(object)) {
            const { value, get, set } = getOwnPropertyDescriptor(object, key) ?? {};
            for (const part of [value, get, set]) if (Object(part) === part) reached.add(part);
            if (get && set) try { const got = get.call(object); if (Object(got) === got) reached.add(got) } catch {}
        }
    }
    const objects = [...reached];
    const functions = objects.filter(object => typeof object === 'function' && !['make_object', 'make_account'].includes(object.name));
    const any = () => (pick([0, 1, 2]) ? pick(values) : pick(objects));
    const stamp = (() => { class S extends (function (o) { return o }) { #mark = 1 } return o => new S(o) })();
    const deeds = [
        () => apply(pick(functions), any(), [any(), any()]), () => apply(pick(functions), pick(objects), [any()]),
        () => apply(pick(functions), pick(objects), []), () => construct(pick(functions), [any(), any()]),
        () => construct(pick(functions), [any()], pick(functions)), () => { pick(objects)[any()] = any() },
        () => set(pick(objects), any(), any(), pick(objects)), () => defineProperty(pick(objects), any(), { value: any(), configurable: true }),
        () => defineProperty(pick(objects), any(), { get: pick(functions), set: pick(functions) }), () => deleteProperty(pick(objects), any()),
        () => deleteProperty(pick(objects), pick(ownKeys(pick(objects)))), () => setPrototypeOf(pick(objects), pick(objects)),
        () => assign(pick(objects), { mark: 1 }), () => { const o = pick(objects); const key = pick(ownKeys(o)); o[key] = any() },
        () => { const o = pick(objects); const d = getOwnPropertyDescriptor(o, pick(ownKeys(o))); d.set.call(pick(objects), any()) },
        () => { const o = pick(objects); return getOwnPropertyDescriptor(o, pick(ownKeys(o))).get.call(pick(objects)) },
        () => Array.prototype.push.call(pick(objects), any()), () => Array.prototype.splice.call(pick(objects), 0, 1, any()),
        () => stamp(pick(objects)), () => new Proxy(pick(objects), { get: pick(functions), getPrototypeOf: pick(functions) }),
        () => [...pick(objects)].length, () => `${any()}`, () => { for (const x of pick(objects)) return x }, () => pick(objects).then(any(), any()),
        () => class extends pick(functions) { static mark = any(); [any()] = any() }, () => (async () => { for await (const x of any()) await x })().catch(() => 1),
        () => JSON.stringify(any(), pick(functions)), () => pick(functions).bind(any(), any()), () => Object.freeze(any()),
    ];
    let done = 0;
    for (let step = 0; step < args.steps; step++) {
        try {
            const got = pick(deeds)();
            done++;
            if (Object(got) === got) {
                if (objects.length < 4000) objects.push(got);
                if (typeof got === 'function') functions.push(got);
                if (got instanceof Promise) got.catch?.(() => 1);
            }
        } catch {}
    }
    return done;
}
