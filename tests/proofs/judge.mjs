// Judges many proofs with `proofs` of examples/proofs/verify.mjs, as an application does: one function, one process.
//
//     node judge.mjs <verify.mjs> <address of the keys> <issuer> <audience> < cases.json
//
// Reads a list of {"proof", "purpose", "nonce"} and prints a list of the claims or of {"refused": why}. Called by verifiers.py.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [module, keysUrl, issuer, audience] = process.argv.slice(2);
const { proofs } = await import(pathToFileURL(module).href);
const check = proofs({ keysUrl, issuer, audience });
const judged = [];
for (const { proof, purpose, nonce } of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    judged.push({ claims: await check(proof, { purpose: purpose ?? undefined, nonce: nonce ?? undefined }) });
  } catch (error) {
    // A verifier that breaks has not judged.
    if (error instanceof TypeError || error instanceof ReferenceError) throw error;
    judged.push({ refused: error.message });
  }
}
console.log(JSON.stringify(judged));
