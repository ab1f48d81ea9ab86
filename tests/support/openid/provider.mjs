// A certified OpenID provider for the tests, over HTTPS. It serves two issuers: one whose tokens look
// like those of Microsoft Entra ID, and a plain one.
//
// node provider.mjs '{"certificate": …, "key": …, "tenant": …, "client": …, "secret": …, "idTokenSeconds": …}'
// prints the port when it accepts connections. Anyone can sign in under any name; a name is the id
// of an account, whose claims PUT /accounts/NAME sets.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider from "oidc-provider";

const options = JSON.parse(process.argv[2]);
const accounts = new Map();
const CLAIMS = {
  openid: ["sub", "oid", "tid", "groups", "_claim_names"],
  profile: ["name", "preferred_username"],
  email: ["email", "email_verified"],
};

function createProvider(issuer) {
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: options.client,
        client_secret: options.secret,
        redirect_uris: ["https://localhost/"],
        token_endpoint_auth_method: "client_secret_post",
      },
    ],
    claims: CLAIMS,
    conformIdTokenClaims: false,
    cookies: { keys: ["only-for-tests"] },
    ttl: { IdToken: options.idTokenSeconds },
    pkce: { required: () => true },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...accounts.get(id) }),
    }),
  });
  // The port of the application differs from test to test.
  provider.Client.prototype.redirectUriAllowed = () => true;
  return provider;
}

function accept(request, response) {
  const [, kind, name] = request.url.split("/");
  if (request.method === "PUT" && kind === "accounts") {
    let body = "";
    request.on("data", (part) => {
      body += part;
    });
    request.on("end", () => {
      accounts.set(decodeURIComponent(name), JSON.parse(body));
      response.end();
    });
    return;
  }
  const found = mounts.find(({ path }) => request.url.startsWith(`${path}/`));
  if (!found) {
    response.writeHead(404).end();
    return;
  }
  request.originalUrl = request.url;
  request.url = request.url.slice(found.path.length);
  found.callback(request, response);
}

const mounts = [];
const server = createServer(
  { cert: readFileSync(options.certificate), key: readFileSync(options.key) },
  accept,
);
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address();
  for (const path of [`/${options.tenant}/v2.0`, "/plain"]) {
    mounts.push({ path, callback: createProvider(`https://localhost:${port}${path}`).callback() });
  }
  console.log(port);
});
