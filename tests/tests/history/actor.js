// Does what it is told, in every way in which a turn can do something.
function (args, power) {
    const { memory, log, clock, random, make_object, make_account } = power;
    const seen = [];
    const step = {
        set: ([key, value]) => { memory[key] = value; },
        count: ([key]) => { memory[key] = (memory[key] || 0) + 1; seen.push(memory[key]); },
        drop: ([key]) => { delete memory[key]; },
        move: ([key]) => { const value = memory[key]; delete memory[key]; memory[key] = value; },
        push: ([key, value]) => { (memory[key] = memory[key] || []).push(value); },
        keys: () => { seen.push(Object.keys(memory).length); },
        clock: () => { seen.push(clock()); memory.at = clock(); },
        random: ([bytes]) => { memory.dice = random(bytes); seen.push(random(3)); },
        log: (values) => { log(...values); },
        send: ([to, what]) => { to.sendOnly(what); },
        call: ([to, what]) => {
            try { seen.push(to.call(what)); } catch (error) { seen.push(String(error)); }
        },
        make: ([code, first, share]) => {
            const made = make_object(code, add(power, { memory: share ? memory : first, friend: args.me }));
            (memory.made = memory.made || []).push(made);
            made.sendOnly({ do: [["count", "n"]] });
            seen.push(made.call({ do: [["count", "n"], ["set", "from", "its maker"]] }), made);
        },
        account: ([code]) => { memory.rich = make_account(code, { log, memory: { n: 1 } }); seen.push(memory.rich); },
        job: ([key]) => { Promise.resolve(key).then((key) => { memory[key] = "later"; log("job", key); }); },
        throw: ([what]) => { throw new TypeError(what); },
        reject: ([what]) => { Promise.reject(new Error(what)); },
        spin: ([times]) => { let sum = 0; for (let n = 0; n < times; n += 1) sum += n % 7; seen.push(sum); },
        bad: () => { memory.bad = () => 1; },
        odd: () => { seen.push(undefined); },
        stack: () => { seen.push(new Error("here").stack); },
        function: () => { memory.result = true; seen.push(1n); },
    };
    for (const [what, ...rest] of args.do || []) step[what](rest);
    return seen;
}
