import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { blake3 } from '@noble/hashes/blake3.js';
import { hmac } from '@noble/hashes/hmac.js';
import { pbkdf2 } from '@noble/hashes/pbkdf2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

export default ({ markdown }) => {
    const bytes = utf8ToBytes(markdown);
    return [sha256, sha512, keccak_256, blake3].map(hash => bytesToHex(hash(bytes)))
        .concat(bytesToHex(hmac(sha256, utf8ToBytes('key'), bytes)), bytesToHex(pbkdf2(sha256, utf8ToBytes('p'), utf8ToBytes('s'), { c: 10, dkLen: 32 })));
};
