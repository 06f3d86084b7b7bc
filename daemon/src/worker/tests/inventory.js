// Object code: everything that code can reach, found by walking, as lines of text.
//
// One block an object, the shortest path to it first: what it is, whether it can be extended, then its
// properties with their attributes (w, e, c). `~` marks an inherited property that can be overridden by
// assignment: an accessor that stands for a value. What the walk cannot name by a path it reaches from
// a sample of each syntax form and each built-in iterator.
(args, power, collect) => {
    const { getOwnPropertyDescriptor, getPrototypeOf, isExtensible } = Object;
    const thrown = run => { try { run() } catch (error) { return error } };
    const sample = () => ({
        '<arrow>': () => {}, '<function>': function () {}, '<generator function>': function* () {},
        '<async function>': async () => {}, '<async generator function>': async function* () {},
        '<class>': class {}, '<derived class>': class extends Array {}, '<method>': { m() {} }.m, '<bound>': (() => {}).bind(),
        '<generator>': (function* () {})(), '<async generator>': (async function* () {})(),
        '<arguments>': (function () { return arguments })(), '<mapped arguments>': (function (a) { return arguments })(1),
        '<template>': (strings => strings)`x`, '<regexp>': /x/, '<array>': [], '<object>': {},
        '<array iterator>': [].values(), '<typed array iterator>': new Uint8Array(0).values(),
        '<string iterator>': ''[Symbol.iterator](), '<regexp string iterator>': 'a'.matchAll(/a/g),
        '<map iterator>': new Map().entries(), '<set iterator>': new Set().values(),
        '<iterator helper>': [].values().map(x => x), '<flat map helper>': [[1]].values().flatMap(x => x),
        '<wrapped iterator>': Iterator.from({ next() {} }),
        '<concat iterator>': Iterator.concat?.([]), '<zip iterator>': Iterator.zip?.([]), '<zip keyed iterator>': Iterator.zipKeyed?.({}),
        '<promise>': Promise.resolve(), '<async result>': (async () => {})(), '<resolvers>': Promise.withResolvers?.(),
        '<resolve function>': Promise.withResolvers?.().resolve, '<revoke function>': Proxy.revocable({}, {}).revoke,
        '<error>': new Error('x'), '<thrown by the engine>': thrown(() => null.x), '<thrown by atob>': thrown(() => atob('!')),
        '<thrown by the parser>': thrown(() => new RegExp('(')), '<bigint>': Object(1n), '<symbol>': Object(Symbol()), '<string>': Object(''),
        '<number>': Object(1), '<boolean>': Object(true), '<date>': new Date(0), '<view>': new DataView(new ArrayBuffer(1)),
        '<match>': /a(?<g>b)?/d.exec('a'), '<groups>': /a(?<g>b)?/d.exec('a').groups, '<resizable>': new ArrayBuffer(1, { maxByteLength: 2 }),
        '<raw json>': JSON.rawJSON?.('1'), '<disposable>': typeof DisposableStack === 'function' ? new DisposableStack() : undefined,
        '<async disposable>': typeof AsyncDisposableStack === 'function' ? new AsyncDisposableStack() : undefined,
        '<iterator result>': [1].values().next(), '<poison>': getOwnPropertyDescriptor((function () { return arguments })(), 'callee')?.get,
        '<decoder>': new TextDecoder(), '<encoder>': new TextEncoder(),
        '<power>': Object.getPrototypeOf(power), '<clock>': power.clock, '<reference>': args,
    });
    const shown = key => (typeof key === 'symbol' ? `[${key.description}]` : key);
    const standsFor = ({ get, set }) => get && set && get !== set && get.name === '' && set.name === '' && get.length === 0;
    const overrides = new Set();
    const walk = () => {
        const paths = new Map([[globalThis, 'globalThis']]);
        const queue = [];
        const reach = (value, path) => {
            if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return;
            if (paths.has(value)) return;
            paths.set(value, path);
            queue.push(value);
        };
        // Names first: a global's own is the shortest path to it.
        const mirror = getPrototypeOf(globalThis);
        for (const key of Reflect.ownKeys(mirror)) if (key !== 'globalThis') reach(mirror[key], shown(key));
        reach(mirror, 'globalThis.__proto__');
        for (const [name, value] of Object.entries(sample())) reach(value, name);
        for (let at = 0; at < queue.length; at++) {
            const object = queue[at];
            const path = paths.get(object);
            reach(getPrototypeOf(object), `${path}.__proto__`);
            for (const key of Reflect.ownKeys(object)) {
                const property = getOwnPropertyDescriptor(object, key);
                const name = `${path}.${shown(key)}`;
                if (standsFor(property)) {
                    reach(property.get.call(object), name);
                    overrides.add(property.get).add(property.set);
                }
                reach(property.value, name);
                reach(property.get, `${name}<get>`);
                reach(property.set, `${name}<set>`);
            }
        }
        return paths;
    };
    // What a second walk does not find again belongs to the samples of the first.
    const paths = walk();
    const again = walk();
    const kind = value => {
        if (typeof value === 'function') return 'function';
        const tag = Object.prototype.toString.call(value).slice(8, -1);
        return Array.isArray(value) ? 'array' : tag.toLowerCase();
    };
    collect?.(paths);
    const lines = [];
    const named = value => {
        if (typeof value === 'symbol') return `Symbol(${value.description})`;
        if (typeof value === 'bigint') return `${value}n`;
        if ((typeof value === 'object' && value !== null) || typeof value === 'function') return paths.get(value) ?? '?';
        return Object.is(value, -0) ? '-0' : value === undefined || typeof value === 'number' ? String(value) : JSON.stringify(value);
    };
    for (const [object, path] of paths) {
        if (object === globalThis) continue;
        const open = !again.has(object) ? ' fresh' : isExtensible(object) ? ' OPEN' : '';
        const keys = Reflect.ownKeys(object);
        // A thousand alike.
        if (overrides.has(object) && !open && keys.join() === 'length,name' && Object.isFrozen(object)) continue;
        lines.push(`${path}: ${kind(object)}${open} < ${named(getPrototypeOf(object))}`);
        for (const key of keys) {
            const property = getOwnPropertyDescriptor(object, key);
            const flags = (property.writable ? 'w' : '-') + (property.enumerable ? 'e' : '-') + (property.configurable ? 'c' : '-');
            const value = standsFor(property) ? `~${named(property.get.call(object))}`
                : property.get || property.set ? `get ${named(property.get)} set ${named(property.set)}`
                : named(property.value);
            lines.push(`    ${shown(key)} ${flags} ${value}`);
        }
    }
    return lines.join('\n');
}
