"""The log-in desk: passwords, codes, lockout, sessions, and their entries in the journal.

Nobody learns from an answer whether a name exists, or whether it was the password or the lock that
refused.  A failure is counted before the password is looked at, so that many tries at once are not
one.  A session gets a new token whenever its stage changes (session fixation).
"""

from __future__ import annotations

from dataclasses import dataclass

from bus.console import passwords, totp
from bus.console.settings import Limits, Secrets
from bus.ledger.accounts import Account, Session, Stage
from bus.ledger.identities import digest
from bus.ledger.ledger import Ledger
from bus.ops.rates import Buckets
from schemas.errors import Forbidden, InvalidRequest, RateLimited, Unauthenticated
from schemas.instant import SECOND

FREE_FAILURES = 5  # in a row, before an account is locked …
LOCK_SECONDS = 30  # … for so long, doubled by each further one …
MOST_LOCK_SECONDS = 900  # … up to this: whoever locks others out does not do so for long
ADDRESS_RATE = 0.2  # log-ins a second from one address …
ADDRESS_BURST = 30  # … and so many at once
PENDING_SECONDS = 600  # to type the code, or to choose a password
TOUCH_SECONDS = 60  # how exactly the ledger knows when a session was last used


@dataclass(frozen=True, slots=True)
class Entered:
    """A session that has begun, or gone one stage further. The token goes into the cookie."""

    token: str
    stage: Stage


class Desk:
    """One per console process."""

    def __init__(self, ledger: Ledger, limits: Limits, secrets: Secrets) -> None:
        self.ledger = ledger
        self.limits = limits
        self._secrets = secrets
        self._attempts = Buckets()

    # --- coming in -------------------------------------------------------------------------------

    async def log_in(self, name: str, password: str, *, address: str) -> Entered:
        """Raises Unauthenticated, RateLimited, LedgerUnavailable."""
        if wait := self._attempts.take(address, rate=ADDRESS_RATE, burst=ADDRESS_BURST):
            raise RateLimited(
                "too many log-ins from this address",
                vi="Quá nhiều lần đăng nhập từ địa chỉ này",
                retry_after=wait,
            )
        account = await self.ledger.accounts.find(name[:200].strip())
        locked = account is not None and await self._count(account)
        good = await passwords.fits(password, None if account is None else account.password)
        if account is None or locked or account.disabled or not good:
            await self._refuse(account, address, "locked" if locked else "password")
            raise _wrong()
        if account.totp is not None:
            return await self._enter(account, Stage.TOTP)
        await self.ledger.accounts.change(account.name, failures=0, locked_until=0)
        return await self._past_proof(account, address, "password")

    async def log_in_as(self, subject: str, *, address: str) -> Entered:
        """Whom the identity provider has proved. The provider's second factor counts."""
        account = await self.ledger.accounts.of_subject(subject)
        if account is None or account.disabled:
            await self._refuse(account, address, "subject")
            raise Forbidden(
                "the identity provider knows you, but no account of the console is yours",
                vi="đơn vị cấp định danh đã xác thực, nhưng chưa có tài khoản trên trục cho bạn",
            )
        return await self._enter_fully(account, address, "oidc")

    async def confirm(self, session: Session, account: Account, code: str, address: str) -> Entered:
        """The code of the authenticator. Raises Unauthenticated."""
        secret = self.authenticator(account)
        locked = await self._count(account)
        step = totp.step_of(secret, code, self.ledger.clock())
        fresh = step is not None and await self.ledger.accounts.use_step(account.name, step)
        if locked or not fresh:
            await self._refuse(account, address, "locked" if locked else "code")
            raise Unauthenticated(
                "the code is wrong, was used before, or the account is locked for a while",
                vi="mã sai, đã dùng, hoặc tài khoản đang tạm khóa",
            )
        await self.ledger.accounts.end(session.hash)
        await self.ledger.accounts.change(account.name, failures=0, locked_until=0)
        return await self._past_proof(account, address, "password+code")

    async def choose_password(
        self, account: Account, *, old: str, new: str, again: str, address: str
    ) -> Entered:
        """The person's own password; other sessions end. Raises Unauthenticated, InvalidRequest."""
        locked = await self._count(account)
        if not await passwords.fits(old, account.password) or locked:
            await self._refuse(account, address, "password")
            raise _wrong()
        if new != again:
            raise InvalidRequest("the two new passwords differ", vi="hai mật khẩu mới khác nhau")
        passwords.check_new(new, name=account.name, old=old)
        stored = await passwords.hash_apart(new)
        await self.ledger.accounts.change(
            account.name, password=stored, must_change=False, failures=0, locked_until=0
        )
        await self.ledger.accounts.end_all(account.name)
        await self._note("console-password-changed", account, {})
        return await self._enter_fully(account, address, "password")

    # --- being there -----------------------------------------------------------------------------

    async def who(self, token: str) -> tuple[Session, Account] | None:
        """Whose session it is; None when it has ended, for whatever reason."""
        return await self.still(digest(token)) if token else None

    async def still(self, session_hash: bytes) -> tuple[Session, Account] | None:
        found = await self.ledger.accounts.session(session_hash)
        if found is None:
            return None
        session, account = found
        now = self.ledger.clock()
        idle = now - session.seen_at > self.limits.idle_seconds * SECOND
        if account.disabled or idle or session.expires_at <= now:
            await self.ledger.accounts.end(session.hash)
            return None
        return found

    async def used(self, session: Session) -> None:
        """The person did something: the session does not become idle."""
        now = self.ledger.clock()
        if now - session.seen_at > TOUCH_SECONDS * SECOND:
            await self.ledger.accounts.touch(session.hash, now=now)

    async def log_out(self, session: Session, account: Account) -> None:
        await self.ledger.accounts.end(session.hash)
        await self._note("console-logout", account, {})

    # --- the authenticator -----------------------------------------------------------------------

    @property
    def offers_authenticator(self) -> bool:
        return self._secrets.totp is not None

    def authenticator(self, account: Account) -> bytes:
        """The account's shared secret."""
        if account.totp is None or self._secrets.totp is None:
            raise Unauthenticated("no authenticator", vi="Chưa có ứng dụng xác thực")
        return totp.unseal(
            account.totp, self._secrets.totp, account.name, previous=self._secrets.totp_previous
        )

    async def register(self, account: Account, secret: bytes, code: str) -> None:
        """A new authenticator, whose first code proves that it has the secret.

        Raises InvalidRequest.
        """
        step = totp.step_of(secret, code, self.ledger.clock())
        if step is None or self._secrets.totp is None:
            raise InvalidRequest(
                "this is not the code of now; look whether the phone's clock is right",
                vi="mã không khớp; kiểm tra đồng hồ của điện thoại",
            )
        sealed = totp.seal(secret, self._secrets.totp, account.name)
        await self.ledger.accounts.change(account.name, totp=sealed, totp_step=step)
        await self._note("console-authenticator-added", account, {})

    # --- inside ----------------------------------------------------------------------------------

    async def _count(self, account: Account) -> bool:
        """Counts a failure beforehand; whether the account is locked."""
        now = self.ledger.clock()
        if account.locked_until > now:
            return True
        failures = await self.ledger.accounts.count_failure(account.name)
        over = failures - FREE_FAILURES
        if over >= 0:
            seconds = min(LOCK_SECONDS * 2 ** min(over, 10), MOST_LOCK_SECONDS)
            await self.ledger.accounts.change(account.name, locked_until=now + seconds * SECOND)
        return False

    async def _past_proof(self, account: Account, address: str, how: str) -> Entered:
        if account.must_change:
            return await self._enter(account, Stage.PASSWORD)
        return await self._enter_fully(account, address, how)

    async def _enter(self, account: Account, stage: Stage) -> Entered:
        now = self.ledger.clock()
        seconds = self.limits.session_seconds if stage is Stage.FULL else PENDING_SECONDS
        token = await self.ledger.accounts.begin(
            account.name, stage=stage, now=now, until=now + int(seconds * SECOND)
        )
        return Entered(token, stage)

    async def _enter_fully(self, account: Account, address: str, how: str) -> Entered:
        await self.ledger.accounts.change(account.name, login_at=self.ledger.clock())
        await self._note("console-login", account, {"how": how, "address": address})
        return await self._enter(account, Stage.FULL)

    async def _refuse(self, account: Account | None, address: str, why: str) -> None:
        """What was typed as a name is not written down: it may be a password."""
        name = account.name if account else ""
        data = {"why": why, "address": address, "account": name}
        await self.ledger.note("console-login-refused", actor=f"console:{name}", data=data)

    async def _note(self, event: str, account: Account, data: dict[str, object]) -> None:
        await self.ledger.note(event, actor=f"console:{account.name}", data=data)


def _wrong() -> Unauthenticated:
    return Unauthenticated(
        "wrong name or password, or the account is locked for a while",
        vi="sai tên hoặc mật khẩu, hoặc tài khoản đang tạm khóa",
    )
