import * as pako from 'pako';

export default ({ markdown }) => {
    const text = markdown.repeat(20);
    const packed = pako.deflate(new TextEncoder().encode(text), { level: 9 });
    const raw = pako.deflateRaw(new TextEncoder().encode(text));
    return { bytes: packed.length, head: [...packed.slice(0, 8)], raw: raw.length, same: new TextDecoder().decode(pako.inflate(packed)) === text && new TextDecoder().decode(pako.inflateRaw(raw)) === text };
};
