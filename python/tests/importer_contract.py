"""The contracts of `importlib`'s finders and loaders, for interpreters without CPython's tests."""

from __future__ import annotations

from abc import ABC, abstractmethod


class FinderTests(ABC):
    """What a test of a finder has to show."""

    @abstractmethod
    def test_module(self) -> None:
        """A module is found."""

    @abstractmethod
    def test_package(self) -> None:
        """A package is found, with where its submodules are."""

    @abstractmethod
    def test_module_in_package(self) -> None:
        """A module of a package is found through the package's path."""

    @abstractmethod
    def test_package_in_package(self) -> None:
        """The same for what is below a package."""

    @abstractmethod
    def test_package_over_module(self) -> None:
        """A package comes before a module of the same name."""

    @abstractmethod
    def test_failure(self) -> None:
        """What is not there is None."""


class LoaderTests(ABC):
    """What a test of a loader has to show."""

    @abstractmethod
    def test_module(self) -> None:
        """A module has its attributes and is in `sys.modules`."""

    @abstractmethod
    def test_package(self) -> None:
        """A package has a path too."""

    @abstractmethod
    def test_lacking_parent(self) -> None:
        """A submodule can be loaded by its full name."""

    @abstractmethod
    def test_state_after_failure(self) -> None:
        """A failing module leaves `sys.modules` as it was."""

    @abstractmethod
    def test_unloadable(self) -> None:
        """What is not there is an ImportError that names it."""
