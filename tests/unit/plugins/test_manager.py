"""The manager of adapters, with real distributions in a folder: what is loaded, what is refused, and what the refusal says."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import orderkit
from orderkit.errors import Misconfigured
from orderkit.plugins import hookspecs
from orderkit.plugins.hookspecs import hookimpl
from orderkit.plugins.manager import Plugins
from orderkit.plugins.url import Url
from orderkit_memory.store import MemoryStore
from tests.shops import Bank, Van

Install = Callable[..., None]

PLUGIN = """
    from orderkit.plugins.hookspecs import hookimpl

    class Shelf:
        def __init__(self, url):
            self.url = url

    @hookimpl
    def open_store(url):
        return Shelf(url) if url.scheme == {scheme!r} else None

    @hookimpl
    def adapter_capabilities(scheme):
        return {{"store": "durable"}}
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return a function that installs a distribution with one plugin module for this test."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def one(distribution: str, schemes: dict[str, str], source: str = "", requires: tuple[str, ...] = ()) -> None:
        info = tmp_path / f"{distribution.replace('-', '_')}-1.2.3.dist-info"
        info.mkdir()
        needs = "".join(f"Requires-Dist: {need}\n" for need in requires)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2.3\n{needs}", encoding="utf-8"
        )
        lines = "".join(f"{scheme} = {module}\n" for scheme, module in schemes.items())
        (info / "entry_points.txt").write_text(f"[orderkit]\n{lines}", encoding="utf-8")
        for scheme, module in schemes.items():
            text = textwrap.dedent(source or PLUGIN.format(scheme=scheme))
            (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()

    yield one
    for name in set(sys.modules) - before:
        if name.startswith("shelf_"):
            del sys.modules[name]


class Shelf:
    """A plugin object that opens one store."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    @hookimpl
    def open_store(self, url: Url) -> Any:
        """Open the store if the URL is ours."""
        return self.store if url.scheme == "shelf" else None


def test_an_adapter_that_is_installed_while_the_process_runs_is_found(install: Install) -> None:
    """As in a notebook: the error says what to install, and then the same call works."""
    with pytest.raises(Misconfigured):
        Plugins().open_store("shelf:")
    install("shelf", {"shelf": "shelf_later"})

    store = Plugins().open_store("shelf:")

    assert store is not None


def test_a_url_opens_the_adapter_whose_entry_point_has_its_scheme(install: Install) -> None:
    """The adapter gets the URL, taken apart."""
    install("orderkit-shelf", {"oak": "shelf_oak"})

    opened: Any = Plugins().open_store("oak+brown://hall?boards=3")

    assert (opened.url.driver, opened.url.location, opened.url.integer("boards", 0)) == ("brown", "hall", 3)


def test_only_the_adapter_that_is_asked_for_is_imported(install: Install) -> None:
    """A neighbor that would fail to import harms nobody."""
    install("orderkit-oak", {"oak": "shelf_oak"})
    install("orderkit-pine", {"pine": "shelf_pine"}, source="raise SystemError('never import me')")
    Plugins().open_store("oak:")

    assert "shelf_oak" in sys.modules
    assert "shelf_pine" not in sys.modules


def test_a_plugin_object_is_asked_first(install: Install) -> None:
    """A test's own adapter needs no distribution, and stands in for one that is installed."""
    install("orderkit-shelf", {"shelf": "shelf_installed"})
    plugin = Shelf()

    assert Plugins(plugin).open_store("shelf:") is plugin.store
    assert "shelf_installed" not in sys.modules


def test_an_unknown_scheme_lists_the_installed_ones(install: Install) -> None:
    """The message names what there is."""
    install("orderkit-shelf", {"oak": "shelf_oak", "pine": "shelf_pine"})
    with pytest.raises(Misconfigured) as caught:
        Plugins().open_store("granite://anna:s3cret@hall")

    assert caught.value.code == "unknown_scheme"
    assert {"oak", "pine"} <= set(caught.value.facts["installed"])
    assert "no adapter has the scheme 'granite'" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("where", ["at import", "at opening"])
def test_a_missing_driver_names_the_extra_that_brings_it(install: Install, where: str) -> None:
    """The adapter's own list of requirements knows which extra it is; `all` is the last resort."""
    source = "import elmwood_driver\n" if where == "at import" else ""
    source += "from orderkit.plugins.hookspecs import hookimpl\n\n@hookimpl\ndef open_store(url):\n    import elmwood_driver\n"
    install(
        "orderkit-elm",
        {"elm": "shelf_elm"},
        source=source,
        requires=("Elmwood.Driver[fast]>=2 ; extra == 'all'", "attrs", "elmwood-driver>=2; extra == 'elm'"),
    )
    with pytest.raises(Misconfigured, match="elmwood_driver") as caught:
        Plugins().open_store("elm:")

    assert caught.value.code == "missing_driver"
    assert caught.value.remedy == "Run: pip install 'orderkit-elm[elm]'"
    assert isinstance(caught.value.__cause__, ImportError)


def test_a_missing_driver_without_an_extra_is_named_itself(install: Install) -> None:
    """Then the module's own distribution is the best guess."""
    install("orderkit-elm", {"elm": "shelf_elm"}, source="import elmwood_driver\n")
    with pytest.raises(Misconfigured) as caught:
        Plugins().open_store("elm:")

    assert caught.value.facts["install"] == "elmwood-driver"


def test_an_adapter_that_misses_a_part_of_its_own_is_broken(install: Install) -> None:
    """No driver would help."""
    install("orderkit-elm", {"elm": "shelf_elm"}, source="import shelf_elm.missing\n")
    with pytest.raises(Misconfigured, match="broken") as caught:
        Plugins().open_store("elm:")

    assert caught.value.remedy == "Reinstall the adapter."


def test_two_distributions_that_claim_one_scheme_are_named(install: Install) -> None:
    """Neither is loaded."""
    install("orderkit-oak", {"oak": "shelf_oak"})
    install("orderkit-oaktree", {"oak": "shelf_oaktree"})
    with pytest.raises(Misconfigured) as caught:
        Plugins().open_store("oak:")

    assert caught.value.code == "ambiguous_scheme"
    assert caught.value.facts["distributions"] == ["orderkit-oak", "orderkit-oaktree"]
    assert not {"shelf_oak", "shelf_oaktree"} & set(sys.modules)


def test_an_adapter_without_that_port_says_which_it_has(install: Install) -> None:
    """A store is no payment provider."""
    install("orderkit-shelf", {"oak": "shelf_oak"})
    with pytest.raises(Misconfigured, match="has no payments for 'oak:'; it offers: store") as caught:
        Plugins().open_payments("oak:")

    assert (caught.value.code, caught.value.field) == ("missing_port", "payments")


def test_one_module_may_answer_several_schemes(install: Install) -> None:
    """It is loaded once, for whichever scheme comes first, and listed under each."""
    source = "from orderkit.plugins.hookspecs import hookimpl\n\n@hookimpl\ndef open_store(url):\n    return f'{url.scheme} store'\n"
    install("orderkit-wood", {"oak": "shelf_wood", "pine": "shelf_wood"}, source=source)
    plugins = Plugins()

    opened: list[object] = [plugins.open_store(url) for url in ("oak:", "pine:", "oak:")]

    assert opened == ["oak store", "pine store", "oak store"]
    assert {a.scheme: a.ports for a in plugins.installed(capabilities=True) if a.module == "shelf_wood"} == {
        "oak": ("store",),
        "pine": ("store",),
    }


def test_schemes_of_one_module_offer_what_their_capabilities_name(install: Install) -> None:
    """A module with a store and a bus says which scheme is which: in the list, and where the wrong one is asked for."""
    source = (
        "from orderkit.plugins.hookspecs import hookimpl\n\n"
        "@hookimpl\ndef open_store(url):\n    return 'oak store' if url.scheme == 'oak' else None\n\n"
        "@hookimpl\ndef open_bus(url):\n    return 'pine bus' if url.scheme == 'pine' else None\n\n"
        "@hookimpl\ndef adapter_capabilities(scheme):\n    return {'store': {}} if scheme == 'oak' else {'bus': {'durable': True}}\n"
    )
    install("orderkit-wood", {"oak": "shelf_wood", "pine": "shelf_wood"}, source=source)
    plugins = Plugins()

    found = {a.scheme: a.ports for a in plugins.installed(capabilities=True) if a.module == "shelf_wood"}
    with pytest.raises(Misconfigured, match=r"'pine' has no store for 'pine:'; it offers: bus$"):
        plugins.open_store("pine:")

    assert found == {"oak": ("store",), "pine": ("bus",)}


def test_memory_and_file_offer_what_they_open() -> None:
    """The library's own module of two schemes: everything in memory, and a bus that is a file."""
    found = {adapter.scheme: adapter for adapter in Plugins().installed(capabilities=True)}

    assert found["file"].ports == ("bus",)
    assert found["memory"].ports == ("bus", "cache", "documents", "notifications", "search", "store")
    assert {port for port in found["memory"].ports if getattr(Plugins(), f"open_{port}")("memory:") is not None} == set(
        found["memory"].ports
    )


def test_a_blocked_scheme_stays_out(install: Install) -> None:
    """Its module is not even imported."""
    install("orderkit-shelf", {"oak": "shelf_oak"})
    with pytest.raises(Misconfigured):
        Plugins(blocked=("oak",)).open_store("oak:")

    assert "shelf_oak" not in sys.modules


def test_a_hook_that_no_version_knows_is_refused() -> None:
    """A misspelled hook would never be called, in silence."""

    class Typo:
        @hookimpl
        def open_stroe(self, url: Url) -> None:
            """Nobody calls this."""

    with pytest.raises(Misconfigured, match="open_stroe") as caught:
        Plugins(Typo())
    assert caught.value.fault == "installation"


def test_an_async_shop_gets_the_async_form_or_else_the_sync_one() -> None:
    """An adapter need not have both."""

    class Both(Shelf):
        @hookimpl
        def open_async_store(self, url: Url) -> Any:
            """Open the form for event loops."""
            return "async"

    plugin = Shelf()
    opened: object = Plugins(Both()).open_async_store("shelf:")

    assert opened == "async"
    assert Plugins(plugin).open_async_store("shelf:") is plugin.store


@pytest.mark.parametrize(
    "port", ["store", "payments", "carriers", "bus", "cache", "search", "notifications", "documents"]
)
def test_every_port_has_a_hook_and_a_method(port: str) -> None:
    """What a plugin opens, the manager hands out."""

    def opens(self: object, url: Url) -> str:
        return f"{port} of {url}"

    plugin = type("Plugin", (), {f"open_{port}": hookimpl(opens)})()

    assert getattr(Plugins(plugin), f"open_{port}")("here:") == f"{port} of here:"


def test_every_hook_is_documented_and_typed() -> None:
    """An author of adapters reads one file."""
    hooks = [
        value
        for name, value in vars(hookspecs).items()
        if name.startswith(("open_", "adapter_", "migrate_", "retire_"))
    ]

    assert len(hooks) == 14
    assert [hook.__name__ for hook in hooks if not hook.__doc__ or "return" not in hook.__annotations__] == []


def test_the_installed_adapters_are_listed_without_importing_them(install: Install) -> None:
    """Scheme, distribution and version stand in the metadata."""
    install("orderkit-pine", {"pine": "shelf_pine"}, source="raise SystemError('never import me')")
    (pine,) = [adapter for adapter in Plugins().installed() if adapter.scheme == "pine"]

    assert (pine.distribution, pine.version, pine.module) == ("orderkit-pine", "1.2.3", "shelf_pine")
    assert (pine.ports, dict(pine.capabilities)) == ((), {})
    assert "shelf_pine" not in sys.modules


def test_the_capabilities_are_told_when_they_are_asked_for(install: Install) -> None:
    """An adapter that cannot be loaded says why, and does not hide the others."""
    install("orderkit-oak", {"oak": "shelf_oak"})
    install("orderkit-elm", {"elm": "shelf_elm"}, source="import elmwood_driver\n")
    found = {adapter.scheme: adapter for adapter in Plugins().installed(capabilities=True)}

    assert (found["oak"].ports, dict(found["oak"].capabilities), found["oak"].problem) == (
        ("store",),
        {"store": "durable"},
        "",
    )
    assert "pip install" in found["elm"].problem


def test_the_trace_shows_hook_calls_without_passwords(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`ORDERKIT_TRACE_PLUGINS=1` prints what was asked of whom, to standard error."""
    monkeypatch.setenv("ORDERKIT_TRACE_PLUGINS", "1")
    Plugins(Shelf()).open_store("shelf://anna:s3cret@hall")
    told = capsys.readouterr()

    assert "open_store" in told.err
    assert "s3cret" not in told.err
    assert told.out == ""


def test_a_shop_closes_what_it_opened_and_leaves_the_rest() -> None:
    """An adapter that was passed as an object belongs to the caller."""
    closed: list[str] = []

    class Noted(MemoryStore):
        def close(self) -> None:
            closed.append("store")

    class NotedBank(Bank):
        def close(self) -> None:
            closed.append("bank")

    class Opens:
        @hookimpl
        def open_store(self, url: Url) -> Any:
            """Open it."""
            return Noted()

    quiet: dict[str, Any] = {"bus": None, "notifications": None, "documents": None}
    with orderkit.open("noted:", payments=NotedBank(), carriers=Van(), plugins=[Opens()], **quiet) as shop:
        pass
    shop.close()

    assert closed == ["store"]


def test_what_was_opened_is_closed_when_a_later_url_is_wrong() -> None:
    """A shop that does not open leaves no connection behind."""
    closed: list[str] = []

    class Noted(MemoryStore):
        def close(self) -> None:
            closed.append("store")

    class Opens:
        @hookimpl
        def open_store(self, url: Url) -> Any:
            """Open it."""
            return Noted()

    with pytest.raises(Misconfigured, match="granite"):
        orderkit.open("noted:", payments="granite:", carriers=Van(), plugins=[Opens()])
    assert closed == ["store"]
