// RS256 by WebCrypto: `der` is a PKCS#8 key, `text` what is signed. Typed face: vertex.rs.
export async function rs256(der, text) {
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign(algorithm, key, new TextEncoder().encode(text)));
}
