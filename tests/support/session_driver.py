"""Carries out what a session asks for, in portable Python: both test runners import it."""

from gateway.core.reading import BULK, CRIT
from gateway.uplink import events
from gateway.uplink.events import (
    Advance,
    Announce,
    Connected,
    Empty,
    Load,
    Loaded,
    PubAck,
    Publish,
    Reject,
    Tick,
    Unfit,
)
from gateway.uplink.lane import Lane
from gateway.uplink.session import OFFLINE, Session

LOG = b"logcrit1"
BIG = 1 << 28


class Driver:
    """A session with rings of `held` durable items each."""

    def __init__(self, crit: int = 0, bulk: int = 0, rate: int = 0, size: int = 100) -> None:
        self.now_ms = 0
        self.held = {CRIT: crit, BULK: bulk}
        self.size = size
        self.items_max = 10
        self.answering = True  # the broker answers announcements at once
        self.cursors = {CRIT: 0, BULK: 0}
        self.rejected: list[tuple[str, int]] = []
        self.unfit: set[int] = set()
        self.crit_packs: list[Publish] = []  # ever published
        lanes = [Lane(CRIT, LOG, 0, 0), Lane(BULK, LOG, 0, 0)]
        for lane in lanes:
            lane.acked(0, 0)  # the platform is there; before, one pack asks
        self.session = Session(lanes, lambda: 0.5, 0, rate)

    def tell(self, event: events.Event) -> list[object]:
        """Return the actions that came of it, Loads answered and left out."""
        done: list[object] = []
        queue = [event]
        while queue:
            for action in self.session.on(queue.pop(0), self.now_ms):
                if isinstance(action, Load):
                    queue.append(self.load(action))
                    continue
                if isinstance(action, Announce) and self.answering:
                    queue.append(PubAck(action.token, 0))
                if isinstance(action, Advance):
                    self.cursors[action.ring] = action.seq
                if isinstance(action, Reject):
                    self.rejected.append((action.ring, action.seq))
                    self.unfit.discard(action.seq)
                done.append(action)
        self.crit_packs += packs(done, CRIT)
        return done

    def load(self, ask: Load) -> events.Event:
        last = min(ask.after + min(ask.items_max, self.items_max), self.held[ask.ring])
        if last == ask.after:
            return Empty(ask.ring)
        if [seq for seq in self.unfit if ask.after < seq <= last]:
            return Unfit(ask.ring, ask.after + 1, last)
        gone = [seq for ring, seq in self.rejected if ring == ask.ring and ask.after < seq <= last]
        payload = bytes(self.size * (last - ask.after - len(gone)))
        return Loaded(ask.ring, ask.after + 1, last, payload)

    def wait(self, ms: int) -> list[object]:
        self.now_ms += ms
        return self.tell(Tick())

    def online(self, receive_max: int = 65_535, packet_max: int = BIG) -> list[object]:
        while self.session.state == OFFLINE:
            self.now_ms = max(self.now_ms, self.session.wake_ms(self.now_ms) or 0)
            self.tell(Tick())
        return self.tell(Connected(receive_max, packet_max))


def kinds(actions: list[object]) -> list[str]:
    return [
        action.kind if isinstance(action, Announce) else type(action).__name__ for action in actions
    ]


def packs(actions: list[object], ring: str = BULK) -> list[Publish]:
    return [action for action in actions if isinstance(action, Publish) and action.ring == ring]
