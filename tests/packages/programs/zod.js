import { z } from 'zod';

export default ({ people }) => {
    const Person = z.object({ name: z.string().min(1), age: z.number().int().positive(), city: z.enum(['Bern', 'Ulm']), mail: z.string().email().optional() });
    const good = z.array(Person).safeParse(people);
    const bad = Person.safeParse({ name: '', age: -1.5, city: 'Rome', mail: 'no' });
    return {
        good: good.success,
        bad: bad.error.issues.map(issue => [issue.code, issue.path.join('.'), issue.message]),
        union: z.discriminatedUnion('kind', [z.object({ kind: z.literal('a'), x: z.string() }), z.object({ kind: z.literal('b'), y: z.coerce.number() })]).parse({ kind: 'b', y: '7' }),
        transformed: z.string().transform(text => text.length).pipe(z.number().max(5)).parse('abc'),
    };
};
