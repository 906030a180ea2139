"""The plant's OpenID provider: code flow with PKCE, state and nonce, by authlib.

What is under way lies in the signed cookie of the browser that began it, so any worker may finish it.
"""

from collections.abc import Mapping
from typing import Any

from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.flask_client import FlaskOAuth2App, OAuth  # type: ignore[import-untyped]
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]
from flask import Flask
from joserfc.errors import JoseError
from requests import RequestException
from werkzeug.wrappers import Response

from ..bus.errors import Refused, StoreLost
from .settings import ROLES, FleetSettings, PeopleOptions, secret_of

TIMEOUT_S = 15
ALGORITHMS = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"))
"""Of ID tokens. By public keys alone: what a client's secret signed, or nobody, is not believed."""
MOST_SUB = 255


class NotLetIn(Refused):
    """The provider's answer does not let anybody in; the text says why, without secrets."""


class Provider:
    """Sends a browser to the provider, and reads what it comes back with."""

    def __init__(self, app: Flask, settings: FleetSettings) -> None:
        """Nothing is asked of the provider yet. BadSettings: the client's secret cannot be read."""
        self._options = settings.people
        self._answer = settings.service.url.rstrip("/") + "/sign-in/answer"
        issuer = str(self._options.issuer)
        file = self._options.client_secret_file
        secret = secret_of(file, "people.client_secret_file").decode().strip() if file is not None else None
        self._client: Any = OAuth(app).register(
            name="provider",
            client_cls=_app_of(self._options),
            client_id=self._options.client_id,
            client_secret=secret,
            server_metadata_url=issuer.rstrip("/") + "/.well-known/openid-configuration",
            client_kwargs={
                "scope": self._options.scopes,
                "code_challenge_method": "S256",
                **({} if secret else {"token_endpoint_auth_method": "none"}),
            },
        )

    def send(self) -> Response:
        """A redirect to the provider. StoreLost: it does not answer."""
        self._known()
        sent: Response = self._client.authorize_redirect(self._answer)
        return sent

    def came_back(self) -> tuple[str, str, list[str]]:
        """(sub, name, roles) of whom the provider vouches for. NotLetIn; StoreLost: it does not answer."""
        self._known()
        try:
            token = self._client.authorize_access_token()
            claims = dict(token.get("userinfo") or {})
            if not claims.get("sub"):
                raise NotLetIn("the provider's answer holds no ID token")
            if self._options.roles_claim not in claims or "name" not in claims:
                more = dict(self._client.userinfo(token=token))
                if more.get("sub") != claims["sub"]:
                    raise NotLetIn("the provider's userinfo is of somebody else than its ID token")
                claims = {**more, **claims}
        except OAuthError as error:
            raise NotLetIn(f"the provider did not let you in: {error.error}") from error
        except (JoseError, ValueError, KeyError, RuntimeError) as error:
            raise NotLetIn(f"the provider's answer cannot be believed ({type(error).__name__})") from error
        except RequestException as error:
            raise StoreLost(f"the provider does not answer: {error}") from error
        sub = f"{self._options.issuer}#{claims['sub']}"
        if len(sub) > MOST_SUB:
            raise NotLetIn(f"the provider's name for you is too long: expected at most {MOST_SUB} characters")
        shown = claims.get("name") or claims.get("preferred_username") or claims.get("email") or claims["sub"]
        return sub, str(shown)[:100], roles_of(claims.get(self._options.roles_claim), self._options)

    def _known(self) -> None:
        """Have the provider's description, and narrow it down to what is believed here."""
        try:
            said = self._client.load_server_metadata()
        except (RequestException, ValueError) as error:
            raise StoreLost(f"the provider does not answer: {error}") from error
        if str(said.get("issuer", "")).rstrip("/") != str(self._options.issuer).rstrip("/"):
            raise NotLetIn(
                f"the provider calls itself {str(said.get('issuer'))[:200]}: expected {self._options.issuer}"
            )
        offered = said.get("id_token_signing_alg_values_supported") or ["RS256"]
        said["id_token_signing_alg_values_supported"] = sorted(ALGORITHMS & set(offered))


def roles_of(claim: Any, options: PeopleOptions) -> list[str]:
    """Roles here of what the provider's claim says: a word or a list of them. Unknown words give nothing."""
    words = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    meant: Mapping[str, str] = options.roles or {role: role for role in ROLES}
    return sorted({meant[word] for word in words if isinstance(word, str) and word in meant})


def _app_of(options: PeopleOptions) -> type[Any]:
    class Session(OAuth2Session):  # type: ignore[misc]  # authlib has no types
        """Checks the provider's TLS against the plant's authority, and does not wait for ever."""

        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            if options.authority_file is not None:
                self.verify = str(options.authority_file)

        def request(self, method: str, url: str, **named: Any) -> Any:
            named.setdefault("timeout", TIMEOUT_S)
            named["allow_redirects"] = False  # what is sent there holds secrets
            return super().request(method, url, **named)

    class App(FlaskOAuth2App):  # type: ignore[misc]  # authlib has no types
        client_cls = Session

    return App
