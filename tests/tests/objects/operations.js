// Runs a program of operations on an object and tells what it saw. A program is a list of
// [operation, path, key, value], each a number that is taken modulo what there is to choose from.
({ program, content }, { memory }) => {
    const root = content ?? memory;
    const seen = [];

    // A value as text, the same for equal values whatever objects they are.
    const show = (value, depth = 0) => {
        if (typeof value === 'function') return 'function';
        if (typeof value === 'symbol' || typeof value === 'bigint') return String(value);
        if (Object.is(value, -0)) return '-0';
        // Escaped: what is told must be QJSON, and not every string is.
        if (typeof value === 'string') return JSON.stringify(value);
        if (typeof value !== 'object' || value === null) return typeof value + ' ' + String(value);
        if (depth > 6) return '...';
        const parts = [Array.isArray(value) ? 'array' : Object.prototype.toString.call(value)];
        for (const key of Reflect.ownKeys(value)) {
            const d = Object.getOwnPropertyDescriptor(value, key);
            if (!d) continue;
            parts.push(String(key) + ('value' in d ? '=' + show(d.value, depth + 1) : ' accessor') + (d.enumerable ? '' : ' hidden') + (d.writable === false ? ' fixed' : ''));
        }
        return '{' + parts.join() + '}';
    };
    const note = value => seen.push(show(value));

    const paths = [
        m => m, m => m, m => m, m => m.a, m => m.list, m => m.a.b, m => m.list[1], m => m.n, m => Object.create(m), m => new Proxy(m, {}),
        m => new Proxy(m.list, {}), m => m.missing, m => m.key17,
    ];
    const keys = ['a', 'b', 'list', 'n', 'z', '0', '1', '7', '10', '01', '@', '@qref', '', '__proto__', 'length', 'toString', 'constructor', 'key3', 'key99', 'key1500', 'é', 'undefined', '4294967295'];
    const values = [
        () => 1, () => -0, () => 'text', () => null, () => undefined, () => [3, 1, 2], () => ({ x: 1, '5': 2, '@y': [] }), () => [], () => ({}), () => 1e21, () => true,
        () => root.a, () => root.list, () => root, () => NaN, () => () => 1, () => new Date(0), () => Symbol('s'), () => [1, , undefined], () => ({ get g() { return 7 } }), () => Object.freeze({ q: 1 }),
        () => '\ud800', () => ({ deep: { deeper: [{ deepest: 1 }] } }), () => 5, () => 'b',
    ];
    const array = use => (o, k, v) => use(Array.isArray(o) ? o : root.list, k, v);
    const operations = [
        (o, k) => note(o[k]), (o, k, v) => { o[k] = v; }, (o, k, v) => { o[k] = v; }, (o, k, v) => { o[k] = v; }, (o, k) => note(delete o[k]), (o, k) => note(delete o[k]), (o, k) => note(k in o),
        (o, k) => { o[k]++; }, (o, k, v) => { o[k] += v; }, (o, k, v) => { o[k] ??= v; }, (o, k, v) => { o[k] ||= v; }, (o, k, v) => { o[k] &&= v; }, (o, k, v) => note(o[k] = v), (o, k, v) => { delete o[k]; o[k] = v; },
        o => note(Object.keys(o)), o => note(Object.values(o)), o => note(Object.entries(o)), o => { for (const key in o) note(key); }, o => note({ ...o }), o => { const { a, ...rest } = o; note(a); note(rest); },
        o => note(Reflect.ownKeys(o).map(String)), o => note(Object.getOwnPropertyNames(o)), o => note(Object.getOwnPropertySymbols(o).length), o => note(JSON.stringify(o)), o => note(JSON.stringify(o, null, 1)),
        (o, k) => note(JSON.stringify(o, [k])), o => note(JSON.parse(JSON.stringify(o))), (o, k) => note(Object.hasOwn(o, k)), (o, k) => note(o.hasOwnProperty(k)), (o, k) => note(o.propertyIsEnumerable(k)),
        (o, k) => note(Object.getOwnPropertyDescriptor(o, k)), o => note(Object.getOwnPropertyDescriptors(o)), o => note(Object.isFrozen(o)), o => note(Object.isSealed(o)), o => note(Object.isExtensible(o)),
        o => note(Object.getPrototypeOf(o) === Object.prototype), (o, k, v) => note(Object.assign(o, v) === o), (o, k, v) => note(Object.assign({}, o, v)), (o, k, v) => { Object.assign(o, { [k]: v, n: 2 }); },
        (o, k, v) => { Object.defineProperty(o, k, { value: v, writable: true, enumerable: true, configurable: true }); }, (o, k, v) => { Object.defineProperty(o, k, { value: v }); },
        (o, k) => { Object.defineProperty(o, k, { enumerable: true, writable: true, configurable: true }); }, (o, k, v) => { Object.defineProperties(o, { [k]: { value: v, writable: true, enumerable: true, configurable: true }, w: { value: 1, writable: true, enumerable: true, configurable: true } }); },
        (o, k) => { Object.defineProperty(o, k, { get: () => 1, enumerable: true, configurable: true }); }, (o, k) => note(Reflect.has(o, k)), (o, k) => note(Reflect.get(o, k)), (o, k, v) => note(Reflect.set(o, k, v)),
        (o, k, v) => note(Reflect.set(o, k, v, {})), (o, k, v) => note(Reflect.set({}, k, v, o)), (o, k) => note(Reflect.deleteProperty(o, k)), (o, k, v) => note(Reflect.defineProperty(o, k, { value: v, writable: true, enumerable: true, configurable: true })),
        (o, k) => note(Reflect.getOwnPropertyDescriptor(o, k)), o => note(Reflect.isExtensible(o)), o => note(Reflect.getPrototypeOf(o) === Object.prototype), o => note(Reflect.setPrototypeOf(o, Object.prototype)),
        o => note(typeof o), o => note(o instanceof Object), o => note(String(o)), o => note(o.valueOf() === o), o => note(o === root), o => note(Object.is(root.a, root.a)), o => note(Array.isArray(o)), (o, k, v) => note(o == v),
        (o, k) => { const child = Object.create(o); note(child[k]); child[k] = 1; note(Object.keys(child)); note(o[k]); }, (o, k, v) => { const p = new Proxy(o, {}); p[k] = v; note(p[k]); delete p.b; note(Object.keys(p)); },
        o => note(Object.fromEntries(Object.entries(o))), o => note(new Map(Object.entries(o)).size), (o, k) => note(o?.[k]?.x), (o, k, v) => { [o.a, o.n] = [o.n, v]; }, (o, k, v) => { ({ x: o[k] = v } = {}); }, (o, k) => note(Object.groupBy(Object.keys(o), key => key.length)),
        (o, k, v) => { o.a = { b: { c: v } }; }, (o, k, v) => { o.list = [v, o.n]; }, (o, k, v) => { o.a[k] = v; }, (o, k) => { delete o.a[k]; }, (o, k, v) => { o.a.b.c = v; },
        array((a, k, v) => note(a.push(v))), array(a => note(a.pop())), array(a => note(a.shift())), array((a, k, v) => note(a.unshift(v))), array((a, k, v) => note(a.splice(1, 1, v, v))), array(a => note(a.splice(0))),
        array(a => note(a.sort())), array(a => note(a.reverse())), array(a => { a.length = 1; }), array(a => { a.length = 4; }), array((a, k, v) => { a[5] = v; }), array(a => { delete a[0]; }), array((a, k, v) => note(a.fill(v, 1))),
        array(a => note(a.copyWithin(0, 1))), array(a => note(a.map(x => typeof x))), array(a => note(a.filter(Boolean))), array(a => note(a.concat(a))), array(a => note(a.flat())), array(a => note([...a])), array((a, k, v) => note(a.includes(v))),
        array((a, k, v) => note(a.indexOf(v))), array(a => note(a.slice(-1))), array(a => note(a.join())), array(a => note(a.at(-1))), array(a => note(a.toSorted())), array((a, k, v) => note(a.with(0, v))), array(a => { const [x, ...rest] = a; note(x); note(rest); }),
        array(a => { for (const x of a) note(x); }), array(a => { for (const i in a) note(i); }), array(a => note(a.reduce((n, x) => n + String(x), ''))), array(a => note(a.length)), array(a => note(Object.keys(a))), array(a => note(Array.from(a, x => x === undefined))), array((a, k, v) => { a[k] = v; }),
        array(a => note(a.findLast(x => x))), array(a => note(a.entries().toArray())), array(a => note(Math.max(...a))), array(a => note(a.lastIndexOf(1))), array(a => note(a.some(x => x === null))),
        o => { Object.freeze(o); }, o => { Object.seal(o); }, o => { Object.preventExtensions(o); }, (o, k, v) => { Object.setPrototypeOf(o, v); }, (o, k, v) => { o.__proto__ = v; }, (o, k, v) => { o[Symbol.iterator] = v; }, (o, k) => { o.__defineGetter__(k, () => 3); }, (o, k) => note(o.__lookupGetter__(k)),
    ];
    // Most programs leave a memory that can be kept: what cannot be is drawn less often.
    const rare = 8;
    for (const [operation, path, key, value] of program) {
        const common = operations.length - rare;
        const run = operation % 40 === 39 ? operations[common + (operation % rare)] : operations[operation % common];
        const plainValue = value % 12 === 11 ? values[value % values.length] : values[value % 11];
        try {
            run(paths[path % paths.length](root), keys[key % keys.length], plainValue());
        } catch (e) {
            note(e.name);
        }
    }

    // Whether a memory that looks like this lasts, by the rules: plain ordinary data all the way.
    const keepable = (value, above = []) => {
        if (value === undefined || value === null || typeof value === 'boolean') return true;
        if (typeof value === 'number') return Number.isFinite(value);
        if (typeof value === 'string') return value.isWellFormed();
        if (typeof value !== 'object' || above.includes(value)) return false;
        const list = Array.isArray(value);
        if (!list && Object.prototype.toString.call(value) !== '[object Object]') return false;
        if (Object.getPrototypeOf(value) !== (list ? Array.prototype : Object.prototype) || !Object.isExtensible(value)) return false;
        return Reflect.ownKeys(value).every(key => {
            const d = Object.getOwnPropertyDescriptor(value, key);
            if (list && key === 'length') return d.writable;
            if (typeof key !== 'string' || !key.isWellFormed() || !('value' in d && d.writable && d.enumerable && d.configurable)) return false;
            if (list && (String(key >>> 0) !== key || key === '4294967295')) return false;
            return keepable(d.value, [...above, value]);
        });
    };
    if (content === undefined) return seen;
    const lasts = keepable(root);
    return { seen, lasts, content: lasts ? root : null };
}
