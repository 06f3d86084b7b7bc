import * as acorn from 'acorn';

export default ({ code }) => {
    const tree = acorn.parse(code, { ecmaVersion: 2023, sourceType: 'module', locations: true });
    const tokens = [...acorn.tokenizer(code, { ecmaVersion: 2023 })].map(token => token.type.label);
    const wrong = (() => { try { return acorn.parse('let 1', { ecmaVersion: 2023 }) } catch (error) { return [error.name, error.message, error.pos] } })();
    return { tree: JSON.parse(JSON.stringify(tree, (key, value) => (typeof value === 'bigint' ? `${value}n` : value))), tokens, wrong };
};
