"""What a worker opens that serves DICOM. What one kind of request needs is loaded with the first
of them; queries, whose first answer is waited for, do not wait for that."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from orthanc_fast.config_plugins import Tenant
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.services.processes.every import WorkerServices

if TYPE_CHECKING:
    from orthanc_fast.services.find.finder import Finder
    from orthanc_fast.services.query_retrieve.find import Finds
    from orthanc_fast.services.query_retrieve.get import Gets
    from orthanc_fast.services.query_retrieve.move import Moves
    from orthanc_fast.services.query_retrieve.retrieval import Retrieval
    from orthanc_fast.services.query_retrieve.tenants import Tenants
    from orthanc_fast.services.query_retrieve.unique_keys import RequestedInstances
    from orthanc_fast.services.scripts.dicom_queries import ScriptedQueries
    from orthanc_fast.services.scripts.moves import ScriptedMoves
    from orthanc_fast.services.scripts.query_filters import QueryFilters
    from orthanc_fast.services.storage_commitment.scp_job import CommitmentOrders
    from orthanc_fast.services.worklists.finds import Hooks, WorklistFinds
    from orthanc_fast.upper_layer.operation import Operation


class DicomServices(WorkerServices):
    """The services of a DICOM worker."""

    def prepare(self) -> None:
        """Loads what queries need: for a thread, once stores are served."""
        try:
            logger.trace(Category.DICOM, f"queries are answered as {self.finds.title}")
        except OrthancError as error:  # of the configuration: each query ends with it
            logger.error(Category.DICOM, f"queries cannot be answered: {error}")
        if self.settings.worklists is None:
            return
        try:
            self.worklist_shelf.follow()
            self.keep_worklists()
        except Exception as error:  # the thread has nobody else to tell
            logger.error(Category.PLUGINS, f"worklists are not followed: {error!r}")

    @cached_property
    def finder(self) -> Finder:
        """Searches. Raises ParameterOutOfRange or BadFileFormat for options that cannot be used."""
        from orthanc_fast.services.attachments.reading import Contents
        from orthanc_fast.services.browse.instance_tags import InstanceTags
        from orthanc_fast.services.find.finder import Finder
        from orthanc_fast.services.find.options import find_options

        tags = InstanceTags(
            self.reads, Contents(self.storage), self.dictionary, self.default_character_set
        )
        options = find_options(self.settings.raw)
        return Finder(self.reads, tags, self.dictionary, self.main_tags, options)

    @cached_property
    def finds(self) -> Finds:
        """Answers queries of modalities."""
        from orthanc_fast.services.find.pages import Pages
        from orthanc_fast.services.query_retrieve.find import Finds, as_it_is
        from orthanc_fast.services.query_retrieve.options import query_options

        return Finds(
            self.finder,
            Pages(self.reads, self.finder),
            self.dictionary,
            self.default_character_set,
            query_options(self.settings),
            as_it_is if self.query_filters is None else self.query_filters.find,
        )

    @cached_property
    def query_filters(self) -> QueryFilters | None:
        """Scripts that change queries; None without scripts."""
        if self.script_calls is None:
            return None
        from orthanc_fast.services.scripts.query_filters import QueryFilters

        return QueryFilters(self.script_calls, self.dictionary)

    def answers(
        self, caller: Caller, identifier: bytes, transfer_syntax: str
    ) -> Iterator[list[bytes]]:
        """As `Finds.answers`, or what a script answers instead."""
        scripted = self.scripted_queries
        if scripted is not None and scripted.answers_finds():
            return scripted.finds(caller, identifier, transfer_syntax)
        return self.finds.answers(caller, identifier, transfer_syntax)

    def worklist_answers(
        self, caller: Caller, identifier: bytes, transfer_syntax: str
    ) -> Iterator[list[bytes]]:
        """As `WorklistFinds.answers`, or what a script answers instead."""
        scripted = self.scripted_queries
        if scripted is not None and scripted.answers_worklists():
            return scripted.worklists(caller, identifier, transfer_syntax)
        return self.worklist_finds.answers(caller, identifier, transfer_syntax)

    @property
    def has_worklists(self) -> bool:
        """Whether queries for worklists are answered."""
        scripted = self.scripted_queries
        is_scripted = scripted is not None and scripted.answers_worklists()
        return is_scripted or self.settings.worklists is not None

    @cached_property
    def scripted_queries(self) -> ScriptedQueries | None:
        """Queries that scripts answer; None without scripts."""
        if self.script_calls is None:
            return None
        from orthanc_fast.services.scripts.dicom_queries import ScriptedQueries

        return ScriptedQueries(self.script_calls, self.dictionary, self.default_character_set)

    @cached_property
    def scripted_moves(self) -> ScriptedMoves | None:
        """C-MOVE that scripts perform; None without scripts."""
        if self.script_calls is None:
            return None
        from orthanc_fast.services.scripts.moves import ScriptedMoves

        return ScriptedMoves(self.script_calls, self.dictionary, self.default_character_set)

    @cached_property
    def worklist_hooks(self) -> Hooks:
        """Where scripts take part in queries for worklists."""
        from orthanc_fast.services.worklists.finds import Hooks

        hooks = Hooks()
        if self.query_filters is not None:
            hooks.filters.append(self.query_filters.worklist)
        return hooks

    @cached_property
    def worklist_finds(self) -> WorklistFinds:
        """Answers queries of modalities for worklists."""
        from orthanc_fast.services.query_retrieve.options import query_options
        from orthanc_fast.services.worklists.finds import WorklistFinds

        assert self.settings.worklists is not None
        return WorklistFinds(
            self.worklist_shelf,
            self.settings.worklists,
            self.dictionary,
            self.default_character_set,
            query_options(self.settings),
            self.worklist_hooks,
        )

    @cached_property
    def commitment_orders(self) -> CommitmentOrders:
        """Takes the requests of modalities for storage commitment."""
        from orthanc_fast.services.storage_commitment.scp_job import CommitmentOrders

        return CommitmentOrders(self.modalities, self.jobs)

    @cached_property
    def requested_instances(self) -> RequestedInstances:
        """What C-MOVE and C-GET of modalities name."""
        from orthanc_fast.services.query_retrieve.options import query_options
        from orthanc_fast.services.query_retrieve.unique_keys import RequestedInstances

        return RequestedInstances(
            self.reads,
            self.dictionary,
            self.default_character_set,
            query_options(self.settings).hidden,
        )

    @cached_property
    def moves_of_others(self) -> Moves:
        """Sends what modalities want to be moved."""
        from orthanc_fast.services.query_retrieve.move import Moves

        return Moves(
            self.settings,
            self.reads,
            self.requested_instances,
            self.modalities,
            self.senders,
            self.jobs,
        )

    @cached_property
    def gets_of_others(self) -> Gets:
        """Sends what modalities want to get."""
        from orthanc_fast.services.query_retrieve.get import Gets

        return Gets(self.reads, self.requested_instances, self.modalities, self.senders)

    def move(self, operation: Operation, caller: Caller) -> Retrieval:
        """As `Moves.begin`, or what a script does instead."""
        scripted = self.scripted_moves
        if scripted is not None and scripted.takes_over():
            return scripted.begin(operation, caller)
        return self.moves_of_others.begin(operation, caller)

    def get(self, operation: Operation, caller: Caller) -> Retrieval:
        """As `Gets.begin`."""
        return self.gets_of_others.begin(operation, caller)

    @cached_property
    def tenants(self) -> Tenants:
        """Answers for the servers that show only what has some labels."""
        from orthanc_fast.services.query_retrieve.tenants import Tenants

        return Tenants(
            self.reads,
            self.finder,
            self.dictionary,
            self.default_character_set,
            lambda: self.moves_of_others,
        )

    def tenant_answers(
        self, tenant: Tenant, caller: Caller, identifier: bytes, transfer_syntax: str
    ) -> Iterator[list[bytes]]:
        """As `Tenants.answers`."""
        return self.tenants.answers(tenant, caller, identifier, transfer_syntax)

    def tenant_move(self, tenant: Tenant, operation: Operation, caller: Caller) -> Retrieval:
        """As `Tenants.move`."""
        return self.tenants.move(tenant, operation, caller)
