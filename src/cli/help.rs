//! The prose of the help.

/// The end of every verb's help.
pub(super) const SEE_ALSO: &str = "\
`apexmcp-bridge --help` lists the flags that all forms take.
";

/// What the program is for.
pub(super) const LONG_ABOUT: &str = "\
Connect MCP clients that speak stdio to a remote MCP gateway.

The MCP client starts this program and talks to it over stdin and stdout. The
first start opens your browser to sign in; later starts are silent. It takes the
arguments of `npx mcp-remote`, in any order.";

/// Verbs, examples, environment, exit status.
pub(super) const AFTER_LONG_HELP: &str = "\
Verbs, each with its own `--help`:
  login   Sign in to a server now
  logout  End a sign-in
  status  Show the sign-ins

Examples:
  # The command of an MCP client, for the ApexMCP organization `acme`
  apexmcp-bridge acme

  # The same with an API key and without a browser
  APEXMCP_API_KEY=apx_live_sk_… apexmcp-bridge acme

  # Any other MCP server, with a header from the environment
  apexmcp-bridge https://mcp.example.com/mcp --header 'X-API-Key:${KEY}'

  # Sign in from a terminal, before any MCP client does
  apexmcp-bridge login acme

Environment:
  APEXMCP_API_KEY             API key, sent as `X-API-Key`; no browser opens
  APEXMCP_BRIDGE_STATE_DIR    Absolute path of the folder for stored tokens
  APEXMCP_BRIDGE_TOKEN_STORE  Like `--token-store`, which wins
  APEXMCP_BRIDGE_BROWSER      Program to open the sign-in page with
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY
                              Proxies, used without any flag

Exit status:
  0    The MCP client closed the session
  1    The last request got no answer, for another reason than those below
  2    The command line is wrong
  4    A sign-in is needed, or the credential was refused
  5    The gateway cannot be reached, or does not answer in time
  6    This machine: the sign-in redirect cannot be listened for
  129, 130, 143
       Ended by SIGHUP, SIGINT, SIGTERM

A flag that is not known is reported on stderr and skipped, so that no MCP
client's configuration breaks. The other flags of mcp-remote 0.15 are accepted,
and reported as having no effect yet.";
