"""The command responder: what an agent answers to each request (RFC 3416 section 4.2, RFC 1157 and 3584 for v1)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import cast

from sim.servers.snmp import ber, pdu, status, values
from sim.servers.snmp.mib import EncodedView, MibView, Oid, WireView
from sim.servers.snmp.pdu import Reply, Request
from sim.servers.snmp.status import GEN_ERR, NO_ACCESS, NO_SUCH_NAME
from sim.servers.snmp.values import Value

LOG = logging.getLogger(__name__)


class Agent:
    """Answers requests from a view. `max_varbinds` bounds the answer to a GETBULK, as snmpd does."""

    def __init__(self, view: MibView, max_varbinds: int) -> None:
        self.view = view
        self.wire: WireView = cast("WireView", view) if isinstance(view, WireView) else EncodedView(view)
        self.max_varbinds = max_varbinds
        self._answers: dict[int, Callable[[Request, int, int], Reply]] = {
            pdu.GET: self._get,
            pdu.GET_NEXT: self._get_next,
            pdu.GET_BULK: self._get_bulk,
        }

    def answer(self, request: Request, version: int, size: int, *, may_write: bool) -> Reply:
        """The answer to a request; `size` bounds the octets of VarBinds that a GETBULK collects.

        BerError when an OID of the request cannot be read.
        """
        if request.kind == pdu.SET:
            return self._set(request, version, may_write=may_write)
        return self._answers[request.kind](request, version, size)

    def _refuse(self, request: Request, version: int, code: int, index: int) -> Reply:
        """An error answer: it carries the VarBinds of the request."""
        code = status.version_1(code) if version == pdu.V1 else code
        return Reply(request.request_id, [request.bindings], code, index)

    def _broken(self, request: Request, version: int, index: int, reason: Exception) -> Reply:
        """Answer genErr for an object whose value could not be made; the reason goes to the log.

        BerError when the request itself is at fault: an OID of it cannot be read.
        """
        for wire in request.oids:
            ber.decode_oid(wire)
        LOG.error("the value of VarBind %d could not be produced", index, exc_info=reason)
        return self._refuse(request, version, GEN_ERR, index)

    def _get(self, request: Request, version: int, size: int) -> Reply:
        del size
        found: list[bytes] = []
        look_up = self.wire.binding
        try:
            for wire in request.oids:
                binding = look_up(wire)
                if binding is None or (version == pdu.V1 and _is_counter64(binding)):
                    missing = self._missing(wire)
                    if version == pdu.V1:
                        return self._refuse(request, version, NO_SUCH_NAME, len(found) + 1)
                    binding = pdu.binding(wire, missing)
                found.append(binding)
        except Exception as reason:
            return self._broken(request, version, len(found) + 1, reason)
        return Reply(request.request_id, found)

    def _missing(self, wire: bytes) -> bytes:
        """Choose noSuchInstance when another instance of the same object exists, else noSuchObject.

        Without the MIB's syntax the object is taken to be the OID without its last sub-identifier.
        """
        oid = ber.decode_oid(wire)
        parent = oid[:-1]
        if self.view.get((*oid, 0)[: ber.MAX_SUB_IDS]) is not None:
            return values.NO_SUCH_INSTANCE
        after = self.view.next(parent)
        is_known = after is not None and after[0][:-1] == parent
        return values.NO_SUCH_INSTANCE if is_known else values.NO_SUCH_OBJECT

    def _after(self, oid: Oid, version: int) -> tuple[Oid, bytes] | None:
        for following, binding in self.wire.following(oid):
            if version != pdu.V1 or not _is_counter64(binding):
                return following, binding
        return None

    def _get_next(self, request: Request, version: int, size: int) -> Reply:
        del size
        found: list[bytes] = []
        try:
            for wire in request.oids:
                after = self._after(ber.decode_oid(wire), version)
                if after is not None:
                    found.append(after[1])
                elif version == pdu.V1:
                    return self._refuse(request, version, NO_SUCH_NAME, len(found) + 1)
                else:
                    found.append(pdu.binding(wire, values.END_OF_MIB_VIEW))
        except Exception as reason:
            return self._broken(request, version, len(found) + 1, reason)
        return Reply(request.request_id, found)

    def _get_bulk(self, request: Request, version: int, size: int) -> Reply:
        """Rows of successors, cut off at `max_varbinds` and `size`, ended by a row of endOfMibView alone."""
        oids = [ber.decode_oid(wire) for wire in request.oids]
        singles = min(max(request.first, 0), len(oids))
        found: list[bytes] = []
        column = 0
        try:
            for column in range(singles):
                after = self._after(oids[column], version)
                found.append(after[1] if after else pdu.binding(request.oids[column], values.END_OF_MIB_VIEW))
            self._rows(oids[singles:], max(request.second, 0), found, size)
        except Exception as reason:
            return self._broken(request, version, singles + 1 if column + 1 >= singles else column + 1, reason)
        return Reply(request.request_id, found[: max(self.max_varbinds, 1)])

    def _rows(self, oids: list[Oid], repetitions: int, found: list[bytes], size: int) -> None:
        """Append up to `repetitions` rows of one successor a column to `found`."""
        walks = [self.wire.following(oid) for oid in oids]
        last = list(oids)
        octets = sum(map(len, found))
        for _ in range(repetitions if oids else 0):
            is_end = True
            for column, walk in enumerate(walks):
                step = next(walk, None)
                if step is None:
                    binding = pdu.binding(ber.encode_oid(last[column]), values.END_OF_MIB_VIEW)
                else:
                    is_end = False
                    last[column], binding = step
                found.append(binding)
                octets += len(binding)
            if is_end or len(found) >= self.max_varbinds or octets > size:
                return

    def _set(self, request: Request, version: int, *, may_write: bool) -> Reply:
        """Two phases: every VarBind is checked before any is applied (RFC 3416 section 4.2.5)."""
        if not may_write:
            return self._refuse(request, version, NO_ACCESS, min(1, len(request.oids)))
        wanted = [(ber.decode_oid(wire), value) for wire, value in zip(request.oids, request.values, strict=True)]
        index = 0
        try:
            for index, (oid, value) in enumerate(wanted, 1):
                code = self.view.check(oid, value)
                if code:
                    return self._refuse(request, version, code, index)
            before: list[tuple[Oid, Value | None]] = []
            for index, (oid, value) in enumerate(wanted, 1):
                old = self.view.get(oid)
                code = self.view.set(oid, value)
                if code:
                    return self._undo(request, version, before, code, index)
                before.append((oid, old))
        except Exception as reason:
            return self._broken(request, version, index, reason)
        return Reply(request.request_id, [request.bindings])

    def _undo(
        self, request: Request, version: int, before: list[tuple[Oid, Value | None]], code: int, index: int
    ) -> Reply:
        """Put back what was applied before the VarBind that failed.

        A first VarBind that fails says why itself; a later one is commitFailed, or undoFailed when not all went back.
        """
        if not before:
            return self._refuse(request, version, code, index)
        undone = [value is not None and self.view.set(oid, value) == status.OK for oid, value in reversed(before)]
        if all(undone):
            return self._refuse(request, version, status.COMMIT_FAILED, index)
        return self._refuse(request, version, status.UNDO_FAILED, 0)


def _is_counter64(binding: bytes) -> bool:
    """Whether an encoded VarBind holds a type that version 1 does not know."""
    return pdu.split_binding(binding)[1][0] == values.COUNTER64
