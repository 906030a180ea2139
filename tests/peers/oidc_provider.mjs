// node oidc_provider.mjs PORT REDIRECT_URI SECRET: an OpenID provider with one confidential client, `okng`.
// Whoever types the name NAME+ROLE,ROLE signs in as NAME with these roles, in the claim `groups` of the ID token or,
// for a name that begins with `u-`, of userinfo alone. Prints `ready` when it listens.
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const [port, redirect, secret] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  clients: [{ client_id: "okng", client_secret: secret, redirect_uris: [redirect], grant_types: ["authorization_code"] }],
  claims: { openid: ["sub"], profile: ["name", "groups"] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ["of the tests alone"] },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: (use) => {
      const [name, roles = ""] = id.split("+");
      const groups = { groups: roles.split(",").filter(Boolean) };
      return { sub: id, ...(use === "id_token" && name.startsWith("u-") ? {} : { name: `Person ${name}`, ...groups }) };
    },
  }),
});
createServer(provider.callback()).listen(Number(port), "127.0.0.1", () => console.log("ready"));
