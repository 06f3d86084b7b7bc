// Popular pure packages in a vat: each is bundled to one function, run in Node and in a vat, and compared.
//
//     npm ci --ignore-scripts && npm test        (in tests/packages; qrt and qrtd are built first)
//
// A program in `programs/` is a module whose default export takes the arguments below and answers with plain
// data. `docs/packages.md` tells the same recipe to those who write objects.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '../..');
const args = {
    people: [
        { name: 'Ann', age: 41, city: 'Bern' },
        { name: 'Bob', age: 29, city: 'Ulm' },
        { name: 'Cho', age: 35, city: 'Bern' },
    ],
    moves: ['e4', 'e5', 'Nf3', 'Nc6', 'Bb5', 'a6', 'Bxc6', 'dxc6', 'O-O'],
    markdown: '# Title\n\nSome *text* with `code`, a [link](https://example.org "t") and ünïcödé 😀.\n\n- a\n- b\n  1. c\n\n| x | y |\n|---|:-:|\n| 1 | 2 |\n\n```js\nlet a = 1 < 2;\n```\n',
    code: 'export const f = async ({ a = 1, ...rest }) => { for await (const x of rest.y) yield_(`t${x ?? a}`) };\nclass A { #p = /x+/giu; static { this.q = 2n ** 3n } }',
};

/** Some packages want the time or chance as they load. They get what was granted, in place of what is not there. */
const granted = `
const EngineDate = globalThis.Date;
const Date = globalThis.Date = class Date extends EngineDate {
    constructor(...parts) { super(...(parts.length > 0 ? parts : [power.clock()])); }
    static now() { return power.clock(); }
};
const Math = globalThis.Math = Object.create(globalThis.Math, {
    random: { value: () => parseInt(power.random(6), 16) / 2 ** 48 },
});
`.trim();

/** The program with its package as the text of one function. */
async function bundle(program) {
    const { outputFiles } = await build({
        entryPoints: [program],
        bundle: true,
        write: false,
        format: 'iife',
        globalName: 'program',
        platform: 'neutral',
        mainFields: ['module', 'main'],
        target: 'es2022',
        // Packages ask for these by the names that Node and bundlers have for them.
        define: { global: 'globalThis', 'process.env.NODE_ENV': '"production"' },
        minify: true,
        legalComments: 'none',
    });
    return `function (args, power) {\n${granted}\n${outputFiles[0].text}\nreturn program.default(args, power);\n}\n`;
}

const power = { memory: {}, clock: () => 0, random: n => '00'.repeat(n) };
const plain = value => JSON.parse(JSON.stringify(value ?? null));

const scratch = mkdtempSync(join(tmpdir(), 'qrt-packages-'));
const vat = join(scratch, 'vat');
const target = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug');
const qrt = (...words) => spawnSync(join(target, 'qrt'), words, { encoding: 'utf8', maxBuffer: 1 << 28 });
const must = (...words) => {
    const ran = qrt(...words);
    if (ran.status !== 0) throw new Error(`qrt ${words[0]}: ${ran.stderr}`);
    return ran.stdout.trim();
};

execFileSync('cargo', ['build', '--quiet', '--locked'], { cwd: root, stdio: 'inherit' });
must('create-node', vat);
must('start', vat);
let failed = 0;
try {
    const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url)));
    console.log(['package', 'version', 'bytes', 'in the vat'].map((word, at) => word.padEnd([18, 10, 9, 0][at])).join(''));
    for (const file of readdirSync(join(import.meta.dirname, 'programs')).sort()) {
        const name = basename(file, '.js');
        const version = dependencies[name] ?? dependencies[`${name}.js`] ?? dependencies[name.replace('-', '/').replace(/^/, '@')];
        const text = await bundle(join(import.meta.dirname, 'programs', file));
        writeFileSync(join(scratch, file), text);
        let told;
        try {
            const { Date, Math } = globalThis;
            const inNode = plain((0, eval)(`(${text})`)(structuredClone(args), power));
            Object.assign(globalThis, { Date, Math });
            const object = must('install', vat, join(scratch, file), '--grant', 'clock,random');
            const sent = qrt('send', '-d', vat, '--wait', object, JSON.stringify(args));
            const answer = JSON.parse(sent.stdout || '{}');
            if (answer.outcome !== 'ok') told = `FAILS: ${answer.error ?? sent.stderr}`;
            else if (answer.result_error) told = `FAILS: ${answer.result_error}`;
            else if (!isDeepStrictEqual(answer.result, inNode)) {
                told = `DIFFERS:\n  vat  ${JSON.stringify(answer.result)}\n  node ${JSON.stringify(inNode)}`;
            } else told = 'as in Node';
        } catch (error) {
            told = `FAILS: ${error.message}`;
        }
        if (told !== 'as in Node') failed += 1;
        console.log(name.padEnd(18) + String(version).padEnd(10) + String(text.length).padEnd(9) + told);
    }
} finally {
    qrt('stop', vat);
    rmSync(scratch, { recursive: true });
}
console.log(failed === 0 ? 'all packages run as in Node' : `${failed} packages do not run as in Node`);
process.exitCode = failed === 0 ? 0 : 1;
