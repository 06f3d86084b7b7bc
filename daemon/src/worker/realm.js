// The lockdown: turns the engine's fresh context into the one realm all objects run in.
//
// It removes what could carry authority, time, chance or state from one turn to another, gives
// honest packages what they expect, and then freezes everything that can be reached, found by
// walking from the global object and from a sample of every syntax form and built-in iterator.
// `host` holds what only the worker can make. The completion value is what the worker needs back.
(host => {
  'use strict';
  const { getOwnPropertyDescriptor, getPrototypeOf, setPrototypeOf, defineProperty, create, freeze } = Object;
  const { ownKeys, construct } = Reflect;
  const global = globalThis;
  const functionText = global.Function.prototype.toString;
  const hide = (object, key, value) =>
    defineProperty(object, key, { value, writable: true, enumerable: false, configurable: true });

  // One of everything that hands out an intrinsic which has no name.
  const samples = [
    () => {}, function () {}, function* () {}, async () => {}, async function () {}, async function* () {},
    class {}, { m() {} }.m,
    (function* () {})(), (async function* () {})(),
    (function () { return arguments; })(),
    (strings => strings)`x`,
    [][Symbol.iterator](), new Uint8Array(0).values(), ''[Symbol.iterator](), 'a'.matchAll(/a/g),
    new Map().entries(), new Set().values(),
    [].values().map(x => x), Iterator.from({ next() {} }),
    ...['concat', 'zip', 'zipKeyed'].flatMap(name => Iterator[name] ? [Iterator[name]([])] : []),
    Promise.resolve(), Proxy.revocable({}, {}).revoke, Promise.withResolvers?.(),
  ];
  const thrown = run => { try { run(); } catch (error) { samples.push(error); } };
  thrown(() => null.x);

  // Evaluating a text is for the worker alone. Every syntax form's constructor goes.
  const inert = (proto, name) => {
    const constructor = { [name]: function () { throw new TypeError(`${name} cannot be called: code is never made from text`); } }[name];
    defineProperty(constructor, 'prototype', { value: proto, writable: false, enumerable: false, configurable: false });
    hide(proto, 'constructor', constructor);
    return constructor;
  };
  const Function = inert(global.Function.prototype, 'Function');
  hide(global, 'Function', Function);
  for (const [sample, name] of [
    [function* () {}, 'GeneratorFunction'],
    [async function () {}, 'AsyncFunction'],
    [async function* () {}, 'AsyncGeneratorFunction'],
  ]) {
    const constructor = inert(getPrototypeOf(sample), name);
    setPrototypeOf(constructor, Function);
    const { prototype } = getPrototypeOf(sample);
    if (prototype) samples.push(prototype);
  }
  for (const name of ['fileName', 'lineNumber', 'columnNumber', 'caller', 'arguments']) delete Function.prototype[name];

  // Time and chance.
  const EngineDate = global.Date;
  const Date = function Date(...args) {
    if (!new.target) throw new TypeError('Date() reads the clock: use power.clock()');
    if (args.length === 0) throw new TypeError('new Date() reads the clock: use new Date(power.clock())');
    return construct(EngineDate, args, new.target);
  };
  defineProperty(Date, 'length', { value: 7 });
  defineProperty(Date, 'prototype', { value: EngineDate.prototype, writable: false, enumerable: false, configurable: false });
  hide(Date, 'parse', EngineDate.parse);
  hide(Date, 'UTC', EngineDate.UTC);
  hide(Date, 'now', { now() { throw new TypeError('Date.now() reads the clock: use power.clock()'); } }.now);
  hide(EngineDate.prototype, 'constructor', Date);
  hide(global, 'Date', Date);
  delete Math.random;

  // What sees into other frames. The stack's text ends where another object's code begins.
  for (const name of ['captureStackTrace', 'prepareStackTrace', 'stackTraceLimit']) delete Error[name];
  const { get: engineStack, set: setStack } = getOwnPropertyDescriptor(Error.prototype, 'stack');
  defineProperty(Error.prototype, 'stack', { get: host.stack(engineStack), set: setStack });

  for (const name of [
    'eval', 'WeakRef', 'FinalizationRegistry', 'SharedArrayBuffer', 'Atomics', 'performance', 'queueMicrotask',
    'DOMException', 'gc',
  ]) delete global[name];

  // The engine's own throw DOMExceptions, which carry the whole stack as a property.
  for (const name of ['atob', 'btoa']) {
    const engines = global[name];
    hide(global, name, { [name](data) {
      const text = `${data}`;
      try {
        return engines(text);
      } catch {
        const error = new Error(`${name}: a character that does not belong here`);
        hide(error, 'name', 'InvalidCharacterError');
        throw error;
      }
    } }[name]);
  }

  // For honest packages.
  class TextEncoder {
    get encoding() { return 'utf-8'; }
    encode(text = '') { return host.encode(`${text}`); }
    encodeInto(text, into) {
      let read = 0;
      let written = 0;
      for (const character of `${text}`) {
        const bytes = host.encode(character);
        if (written + bytes.length > into.length) break;
        into.set(bytes, written);
        written += bytes.length;
        read += character.length;
      }
      return { read, written };
    }
  }
  class TextDecoder {
    #fatal;
    #ignoreBOM;
    #left = new Uint8Array(0);
    #started = false;
    constructor(label = 'utf-8', options = {}) {
      if (!['utf-8', 'utf8', 'unicode-1-1-utf-8'].includes(`${label}`.trim().toLowerCase())) {
        throw new RangeError(`only utf-8 is decoded here, not ${label}`);
      }
      this.#fatal = !!options.fatal;
      this.#ignoreBOM = !!options.ignoreBOM;
    }
    get encoding() { return 'utf-8'; }
    get fatal() { return this.#fatal; }
    get ignoreBOM() { return this.#ignoreBOM; }
    decode(input = new Uint8Array(0), options = {}) {
      const bytes = ArrayBuffer.isView(input)
        ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
        : new Uint8Array(input);
      const all = new Uint8Array(this.#left.length + bytes.length);
      all.set(this.#left);
      all.set(bytes, this.#left.length);
      const stream = !!options.stream;
      const [text, used] = host.decode(all, this.#fatal, stream);
      this.#left = all.slice(used);
      const opening = !this.#started;
      this.#started = stream && (this.#started || text !== '');
      return opening && !this.#ignoreBOM && text[0] === '\ufeff' ? text.slice(1) : text;
    }
  }
  hide(global, 'TextEncoder', TextEncoder);
  hide(global, 'TextDecoder', TextDecoder);
  const console = {};
  for (const name of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'table']) console[name] = host.line(name);
  console.assert = { assert(holds, ...values) { if (!holds) console.error('Assertion failed', ...values); } }.assert;
  for (const name of ['group', 'groupCollapsed', 'groupEnd', 'time', 'timeEnd', 'timeLog', 'count', 'countReset', 'clear']) {
    console[name] = { [name]() {} }[name];
  }
  hide(global, 'console', console);

  // The vat's own names.
  hide(global, 'Q', { sendOnly: host.sendOnly, call: host.call, isReference: host.isReference });
  for (const key of ownKeys(host.referencePrototype)) hide(host.referencePrototype, key, host.referencePrototype[key]);
  const isMissing = (key, value) => value === undefined || (key === 'memory' && value === null);
  hide(global, 'add', function add(power, changes) {
    const description = {};
    for (const part of [power, changes]) {
      if (part === undefined || part === null) continue;
      if (typeof part !== 'object' || host.isReference(part)) throw new TypeError('add takes two objects');
      for (const key of ownKeys(part)) {
        const property = getOwnPropertyDescriptor(part, key);
        if (!property || !property.enumerable) continue;
        const value = part[key];
        if (isMissing(key, value)) delete description[key];
        else defineProperty(description, key, { value, writable: true, enumerable: true, configurable: true });
      }
    }
    return description;
  });
  // Inside code this name is the call's own parameter.
  delete global.globalThis;

  // Walk.
  const reached = new Set();
  const prototypes = new Set();
  const queue = [];
  const reach = value => {
    if ((typeof value === 'object' && value !== null) || typeof value === 'function') {
      if (!reached.has(value)) {
        reached.add(value);
        queue.push(value);
      }
    }
  };
  const walk = () => {
    while (queue.length > 0) {
      const object = queue.pop();
      const proto = getPrototypeOf(object);
      if (proto) prototypes.add(proto);
      reach(proto);
      for (const key of ownKeys(object)) {
        const property = getOwnPropertyDescriptor(object, key);
        reach(property.value);
        reach(property.get);
        reach(property.set);
        if (key === 'prototype' && property.value) prototypes.add(property.value);
      }
    }
  };
  reach(global);
  for (const sample of samples) reach(sample);
  reach(host.referencePrototype);
  for (const proto of host.prototypes) reach(proto);
  walk();

  // The override mistake: a frozen data property of a prototype forbids assignment to the objects
  // that inherit it. As an accessor it gives the value and lets the receiver have its own.
  const errors = [];
  for (const proto of prototypes) {
    const name = getOwnPropertyDescriptor(proto, 'name');
    if (getOwnPropertyDescriptor(proto, 'message') && typeof name?.value === 'string') errors.push([proto, name.value]);
  }
  for (const proto of prototypes) {
    if (proto === global) continue;
    for (const key of ownKeys(proto)) {
      const property = getOwnPropertyDescriptor(proto, key);
      if (!property.writable || !property.configurable) continue;
      const [get, set] = host.accessor(proto, key, property.value);
      defineProperty(proto, key, { get, set, enumerable: property.enumerable, configurable: false });
    }
  }
  // What a call's `globalThis` inherits from: the same names, and each can be overridden there.
  const mirror = create(global);
  for (const key of ownKeys(global)) {
    const [get, set] = host.accessor(mirror, key, global[key]);
    defineProperty(mirror, key, { get, set, enumerable: false, configurable: false });
  }
  const [, set] = host.accessor(mirror, 'globalThis', undefined);
  defineProperty(mirror, 'globalThis', { get: host.self, set, enumerable: false, configurable: false });
  reach(mirror);
  reach(host.self);
  for (const proto of prototypes) queue.push(proto);
  walk();
  for (const object of reached) freeze(object);
  return [mirror, engineStack, errors, functionText];
});
