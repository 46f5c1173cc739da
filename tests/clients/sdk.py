"""The Python SDK's OAuth client: sdk.py URL

Keeps everything in memory, and listens for the redirect itself. A line of JSON for every step.
"""

import asyncio
import json
import os
import sys
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

APPROVE = Path(__file__).resolve().parent / "approve.mjs"
CONTROL = json.loads(os.environ["MOCK_CONTROL"])
PATIENCE_SECONDS = 30


class Storage:
    """Implements the SDK's `TokenStorage`."""

    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Redirect:
    """Listens at the redirect URI, and opens the "browser"."""

    async def listen(self):
        self.arrived = asyncio.get_running_loop().create_future()
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/callback"

    async def answer(self, reader, writer):
        path = (await reader.readline()).split()[1].decode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nDone.")
        await writer.drain()
        writer.close()
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        self.arrived.set_result(AuthorizationCodeResult(**{
            name: query.get(name) for name in ("code", "state", "iss")
        }))

    async def open(self, url):
        await asyncio.create_subprocess_exec(os.environ["MOCK_NODE"], APPROVE, url)

    async def wait(self):
        return await asyncio.wait_for(self.arrived, PATIENCE_SECONDS)


def report(step):
    print(json.dumps({"step": step}), flush=True)


def expire_access_tokens():
    request = urllib.request.Request(
        f"{CONTROL['url']}/act",
        data=b"expire_access_tokens",
        headers={"Authorization": f"Bearer {CONTROL['token']}"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        assert answer.status == 204


async def main():
    url = sys.argv[1]
    redirect, storage = Redirect(), Storage()
    metadata = OAuthClientMetadata(
        client_name="Python SDK driver",
        redirect_uris=[await redirect.listen()],
        token_endpoint_auth_method="none",
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
    )
    auth = OAuthClientProvider(url, metadata, storage, redirect.open, redirect.wait)
    async with create_mcp_http_client(auth=auth) as http:
        async with Client(streamable_http_client(url, http_client=http)) as client:
            report("sign-in")
            tools = (await client.list_tools()).tools
            assert "query_postgres_orders" in [tool.name for tool in tools]
            report("tools")

            async def echo():
                result = await client.call_tool("echo", {"text": "hello"})
                assert result.content[0].text == "hello"

            await echo()
            report("call")
            before = storage.tokens.refresh_token
            expire_access_tokens()
            # The SDK renews by its own clock only; a 401 starts a sign-in, so it is told the time.
            auth.context.token_expiry_time = 1
            await echo()
            assert storage.tokens.refresh_token != before
            report("renewal")
    redirect.server.close()


asyncio.run(asyncio.wait_for(main(), 60))
