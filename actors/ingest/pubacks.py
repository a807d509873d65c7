"""The PUBACKs of one connection in the order in which they are sent, and what they prove.

From time to time the broker shows how many of them it has processed (`heard`). A commit is no
longer in doubt once all its PUBACKs were processed.
"""

from collections import deque

import msgspec


class Acknowledged(msgspec.Struct):
    """The message that had a packet id on this connection.

    Attributes:
        said: a hash of its topic and payload.
        ack_no: the number of its PUBACK on the connection.
        came_again: delivered with DUP, after the broker had processed that PUBACK.
    """

    said: int
    ack_no: int
    came_again: bool = False


class Pubacks:
    """Attributes:
    sent: how many were sent on this connection.
    heard: how many of these the broker has certainly processed.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.heard = 0
        self._of: dict[int, Acknowledged] = {}  # by packet id
        self._of_commits: deque[tuple[int, int]] = deque()  # (PUBACKs so far, commit number)

    def begin_anew(self) -> None:
        """A new connection: packet ids start again."""
        self.sent = self.heard = 0
        self._of.clear()
        self._of_commits.clear()

    def send(self, packet_id: int, said: int) -> None:
        """Send one."""
        self.sent += 1
        self._of[packet_id] = Acknowledged(said, self.sent)

    def sent_for_commit(self, no: int) -> None:
        """All PUBACKs of this commit were sent."""
        self._of_commits.append((self.sent, no))

    def was_for(self, packet_id: int, said: int) -> bool:
        """Whether this id was acknowledged for a message with this content."""
        done = self._of.get(packet_id)
        return done is not None and done.said == said

    def crosses(self, packet_id: int) -> bool:
        """Whether a redelivery may have crossed the PUBACK of its id on the way.

        That PUBACK arrives in any case, on this connection; a second one could acknowledge another
        message that has the id by then. If the message is still delivered after the broker has
        processed the PUBACK, it is another message with the same content, which was left with the
        broker before and has the id now.
        """
        done = self._of[packet_id]
        if done.ack_no <= self.heard and done.came_again:
            return False
        done.came_again = done.ack_no <= self.heard
        return True

    def forget(self, packet_id: int) -> None:
        """The id belongs to another message now, which may not be taken."""
        self._of.pop(packet_id, None)

    def commits_heard(self, known: int) -> int:
        """The newest commit whose PUBACKs were all processed; `known` if there is no newer one."""
        while self._of_commits and self._of_commits[0][0] <= self.heard:
            known = self._of_commits.popleft()[1]
        return known
