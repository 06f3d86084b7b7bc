// A counter and a few methods on one memory.
//
//   null                              add one; returns the count
//   {"method": "increment", "by": 2}  add `by` (one when left out); returns the count
//   {"method": "get"}                 the count
//   {"method": "set", "to": 5}        make it `to`; returns the count
//   {"method": "reset"}               make it 0, and forget that it was ever incremented
//   {"method": "echo", ...}           returns the arguments as they came
//   {"method": "fail"}                changes the memory, then throws: the turn is rolled back
//
// Memory: {"count": the count, "increments": how often it was incremented}.
function sampleMethods(args, power) {
  const memory = power.memory;
  if (memory === undefined) {
    throw new Error("sample-methods counts in its memory: install it without --no-memory");
  }

  const number = (name, fallback) => {
    const value = args === null ? undefined : args[name];
    if (value === undefined) return fallback;
    if (typeof value !== "number") {
      throw new TypeError(`"${name}" must be a number, not ${JSON.stringify(value)}`);
    }
    return value;
  };

  const methods = {
    increment() {
      memory.count += number("by", 1);
      memory.increments += 1;
      return memory.count;
    },
    get() {
      return memory.count;
    },
    set() {
      memory.count = number("to", 0);
      return memory.count;
    },
    reset() {
      memory.count = 0;
      memory.increments = 0;
      return memory.count;
    },
    echo() {
      return args;
    },
    fail() {
      memory.count = -1;
      memory.broken = "nobody will ever read this";
      throw new Error("failed on request, after changing the memory");
    },
  };

  memory.count ??= 0;
  memory.increments ??= 0;

  const method = args === null ? "increment" : args.method;
  if (typeof method !== "string" || !Object.hasOwn(methods, method)) {
    const known = Object.keys(methods).join(", ");
    throw new Error(`no method ${JSON.stringify(method)}: send {"method": one of ${known}}, or null to add one`);
  }
  return methods[method]();
}
