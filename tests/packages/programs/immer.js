import { enablePatches, produce, produceWithPatches, applyPatches, current, isDraft } from 'immer';

export default ({ people }) => {
    enablePatches();
    const base = { people, seen: [] };
    const next = produce(base, draft => {
        draft.people[0].age += 1;
        draft.people.push({ name: 'new', age: 1, city: 'Ulm' });
        draft.seen.push(isDraft(draft.people), current(draft.people).length);
    });
    const [changed, patches, inverse] = produceWithPatches(next, draft => { draft.people.splice(0, 1) });
    return { next, shared: next.people[1] === base.people[1], frozen: Object.isFrozen(next.people), patches, back: applyPatches(changed, inverse) };
};
