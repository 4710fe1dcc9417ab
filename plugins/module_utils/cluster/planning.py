# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning a rollback: which revision it goes to, what stands against it, and what to warn about. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..errors import Fault, OperatorError
from . import fingerprint, jobs, marks, overrides, ownership, revisions, rollout
from .revisions import Revision

# What kubectl's undo leaves as it stands on the Deployment, and our override; all others come back with the target
# (kubernetes/kubernetes:pkg/controller/deployment/util/deployment_util.go, annotationsToSkip).
SKIPPED_ANNOTATIONS = frozenset(
    {
        ownership.LAST_APPLIED,
        revisions.REVISION,
        revisions.REVISION_HISTORY,
        "deployment.kubernetes.io/desired-replicas",
        "deployment.kubernetes.io/max-replicas",
        "deprecated.deployment.rollback.to",
        overrides.ANNOTATION,  # how many pods there are is not the template's to say
    }
)

# Kubernetes counts revisions in 64 bits.
_NUMBER = re.compile(r"0*[1-9][0-9]{0,17}")


@dataclass(frozen=True)
class Wish:
    """What the operator asked for: a revision as typed, an image, or neither for the last known good."""

    revision: str = ""
    image: str = ""
    allow_schema_mismatch: bool = False


@dataclass(frozen=True)
class Change:
    """A change of the template: where it goes from and to, and the patch that does it (empty if nothing is to change).

    C(target) is C(None) where the write makes a new revision.
    """

    source: Revision | None
    target: Revision | None
    patch: list[dict[str, Any]] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether the template changes."""
        return bool(self.patch)


@dataclass(frozen=True)
class Plan(Change):
    """A rollback: the change to a revision that is there, and what to know about it."""

    target: Revision
    warnings: list[str] = field(default_factory=list)


def plan(
    workload: Mapping[str, Any], known: Sequence[Revision], wish: Wish, fingerprints: Mapping[str, str] | None = None
) -> Plan:
    """Plan a rollback, or raise C(OperatorError) with every reason that forbids it and the list of revisions.

    C(fingerprints) are those of the target's configuration today, C(None) where they were not read.
    """
    faults: list[Fault] = []
    name = f"{workload['kind']} {workload['metadata']['name']}"
    if fault := paused(workload, "a rollback"):
        faults.append(fault)
    source = revisions.active_revision(known)
    target, fault = choose(known, wish, name)
    if fault:
        faults.append(fault)
    if target and source and (fault := _schema_fault(source, target, wish)):
        faults.append(fault)
    if faults or target is None:
        raise OperatorError(faults, revisions=[revision.as_result() for revision in known])
    warnings = _warnings(workload, source, target, fingerprints)
    return Plan(source, target, _patch(workload, target) if not target.active else [], warnings)


def paused(workload: Mapping[str, Any], act: str) -> Fault | None:
    """The fault of a workload that would store C(act), such as C(a rollback), and not roll it out."""
    if not workload["spec"].get("paused"):
        return None
    kind, metadata = workload["kind"], workload["metadata"]
    resume = f"kubectl rollout resume {kind.lower()}/{metadata['name']} -n {metadata['namespace']}"
    return Fault(
        "paused",
        f"{kind} {metadata['name']} is paused, so {act} would be stored and not rolled out.",
        f"See why it was paused, then: {resume} (all pending template edits go out with it).",
    )


def edit(workload: Mapping[str, Any], known: Sequence[Revision], template: Mapping[str, Any]) -> Change:
    """Plan the change to an edited template; one that an earlier revision had goes back to that revision."""
    source = revisions.active_revision(known)
    wanted = revisions.comparable(template)
    if wanted == revisions.comparable(workload["spec"]["template"]):
        return Change(source, source)
    target = next((each for each in reversed(known) if revisions.comparable(each.template) == wanted), None)
    return Change(source, target, template_patch(workload, target.template if target else template))


def template_patch(workload: Mapping[str, Any], template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The patch that sets a template on exactly this state of the workload."""
    return [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": workload["metadata"]["resourceVersion"]},
        {"op": "replace", "path": "/spec/template", "value": template},
    ]


def choose(known: Sequence[Revision], wish: Wish, name: str) -> tuple[Revision | None, Fault | None]:
    """The revision a wish means, or the fault that says why there is none."""
    if fault := wish_fault(wish):
        return None, fault
    if not known:
        return None, Fault(
            "no_history",
            f"{name} has no revisions at all, so there is nothing to roll back to.",
            "Deploy a known good version instead; revisionHistoryLimit 0 keeps no history.",
        )
    listed = ", ".join(_one_line(revision) for revision in reversed(known))
    if wish.revision:
        found = revisions.find(known, int(wish.revision))
        return found, None if found else Fault(
            "revision_unknown",
            f"{name} has no revision {wish.revision}: never there, or collected as garbage. There are: {listed}.",
            "Choose one of these, or deploy the version you want.",
        )
    if wish.image:
        found = revisions.find_image(known, wish.image)
        return found, None if found else Fault(
            "image_unknown",
            f"No revision of {name} runs the image {wish.image}. There are: {listed}.",
            "Choose a revision of these, or deploy the image.",
        )
    active = revisions.active_revision(known)
    if active and active.mark and active.mark.verdict == "good":
        return active, None
    found = revisions.last_known_good(known)
    return found, None if found else Fault(
        "none_known_good",
        f"No revision of {name} is marked good, so none is chosen for you. There are: {listed}.",
        "Name one: -e revision=NUMBER.",
    )


def schema_question(left: Mapping[str, Any], target: Revision, container: str) -> dict[str, Any]:
    """What a rollback asks about the schema: whether it changes code at all, and the image whose migrations count.

    It is that of the named container, else of the default or the only one; C(unknown) says why there is none.
    """
    asked: dict[str, Any] = {
        "asked": revisions.serving_images(left) != revisions.serving_images(target.template),
        "image": "",
        "unknown": "",
    }
    try:
        chosen = jobs.chosen(target.template, container, f"revision {target.number}")
    except OperatorError as fault:
        return {**asked, "unknown": str(fault.faults[0])}
    return {**asked, "image": chosen["image"]}


def wish_fault(wish: Wish) -> Fault | None:
    """What is wrong with the words themselves; needs no cluster."""
    if wish.revision and not _NUMBER.fullmatch(wish.revision):
        return Fault(
            "revision_invalid",
            f"revision={wish.revision} is not a revision number.",
            "Give a whole number from 1 as the plan lists it, or leave it out for the last known good.",
        )
    if wish.revision and wish.image:
        return Fault("wish_ambiguous", "Both revision= and image= were given.", "Give one of them.")
    return None


def table(known: Sequence[Revision], target: Revision, now: datetime) -> list[str]:
    """The revisions for the operator, newest first; an arrow points to the target."""
    rows = [("", "revision", "earlier", "image", "age", "pods", "mark", "config", "change cause")]
    rows += [
        (
            "->" if each is target else " *" if each.active else "",
            str(each.number),
            ",".join(str(number) for number in each.earlier) or "-",
            ", ".join(dict.fromkeys(each.images.values())),
            age(each.created, now),
            f"{each.ready}/{each.replicas}",
            each.mark.verdict if each.mark else "-",
            fingerprint.summary(each.mark.fingerprint.values() if each.mark else ()),
            each.change_cause or "-",
        )
        for each in reversed(known)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]


def age(created: str, now: datetime) -> str:
    """The time since an RFC 3339 moment in its largest whole unit, as kubectl's tables have it."""
    if not created:
        return "-"
    seconds = max(0, int((now - datetime.fromisoformat(created)).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def reply_to_conflict(workload: Mapping[str, Any]) -> Fault:
    """The fault after a second conflict in a row."""
    return Fault(
        "concurrent_change",
        f"{workload['kind']} {workload['metadata']['name']} was changed twice while this button planned; last by "
        f"{ownership.last_writers(workload)}. Nothing was written.",
        "Find out who or what writes to it, stop that, and press again.",
    )


def _one_line(revision: Revision) -> str:
    shown = ", ".join(dict.fromkeys(revision.images.values()))
    notes = [
        note for note in (revision.mark.verdict if revision.mark else "", "active" if revision.active else "") if note
    ]
    return f"{revision.number} ({'; '.join([shown, *notes])})"


def _schema_fault(source: Revision, target: Revision, wish: Wish) -> Fault | None:
    # Prisma's migration names begin with a timestamp, so their order is the order of names.
    if not source.migration or source.migration <= target.migration or wish.allow_schema_mismatch:
        return None
    known = f"only knows {target.migration}" if target.migration else "has no migration on record"
    return Fault(
        "schema_mismatch",
        f"Revision {source.number} brought the migration {source.migration}, which the database keeps; revision "
        f"{target.number} {known} and may not run on it.",
        "Check that the old code can live with the new schema, then press with -e allow_schema_mismatch=true.",
    )


def _warnings(
    workload: Mapping[str, Any], source: Revision | None, target: Revision, fingerprints: Mapping[str, str] | None
) -> list[str]:
    warnings = []
    if fingerprints is not None and target.mark and target.mark.fingerprint:
        changes = fingerprint.drift(target.mark.fingerprint, fingerprints)
        warnings += [f"Revision {target.number} will start with today's configuration: {each}." for each in changes]
    if source and source.migration and source.migration > target.migration and not target.active:
        warnings.append(
            f"The schema stays at migration {source.migration}, which revision {target.number} never ran on."
        )
    if target.mark and target.mark.verdict == "bad":
        why = f": {target.mark.reason}" if target.mark.reason else ""
        warnings.append(f"Revision {target.number} is marked bad since {target.mark.since}{why}.")
    if source and not target.active and (state := rollout.in_progress(workload)):
        warnings.append(f"The rollout of revision {source.number} is still in progress ({state}); this supersedes it.")
    if not target.active:
        warnings += [f"{sentence}." for sentence in ownership.reverters(workload, target)]
    return warnings + rollout.strategy_notes(workload)


def _patch(workload: Mapping[str, Any], target: Revision) -> list[dict[str, Any]]:
    metadata = workload["metadata"]
    patch = template_patch(workload, target.template)
    if workload["kind"] == "Deployment":
        patch.append({"op": "add", "path": "/metadata/annotations", "value": _annotations(metadata, target)})
    return patch


def _annotations(metadata: Mapping[str, Any], target: Revision) -> dict[str, str]:
    standing = metadata.get("annotations") or {}
    return {
        **{name: value for name, value in standing.items() if name in SKIPPED_ANNOTATIONS},
        **{
            name: value
            for name, value in target.annotations.items()
            if name not in SKIPPED_ANNOTATIONS and name != marks.UNPROVED and not marks.is_mark(name)
        },
    }
