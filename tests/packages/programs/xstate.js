import { assign, createActor, createMachine, setup } from 'xstate';

export default () => {
    const machine = setup({ guards: { enough: ({ context }) => context.coins >= 2 } }).createMachine({
        id: 'gate', initial: 'locked', context: { coins: 0 },
        states: {
            locked: { on: { COIN: { actions: assign({ coins: ({ context }) => context.coins + 1 }) }, PUSH: { guard: 'enough', target: 'open' } } },
            open: { entry: assign({ coins: 0 }), on: { PASS: 'locked' } },
        },
    });
    const seen = [];
    const actor = createActor(machine);
    actor.subscribe(snapshot => seen.push([snapshot.value, snapshot.context.coins]));
    actor.start();
    for (const type of ['PUSH', 'COIN', 'COIN', 'PUSH', 'PASS']) actor.send({ type });
    const saved = JSON.parse(JSON.stringify(actor.getPersistedSnapshot()));
    const again = createActor(machine, { snapshot: saved });
    again.start();
    return { seen, value: again.getSnapshot().value, parallel: createMachine({ type: 'parallel', states: { a: {}, b: {} } }).root.id };
};
