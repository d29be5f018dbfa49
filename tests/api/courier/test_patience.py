"""How long a courier goes on."""

from __future__ import annotations

from runledger.api.courier.patience import Patience


class Scene:
    def __init__(self) -> None:
        self.now = 0.0
        self.is_alive = True
        self.patience = Patience(lambda: self.is_alive, 60.0, clock=lambda: self.now)

    def look(self, at: float) -> bool:
        """Whether it is over."""
        self.now = at
        self.patience.look()
        return self.patience.is_over.is_set()


def test_while_the_training_lives_it_never_ends() -> None:
    assert not Scene().look(1e9)


def test_it_ends_a_while_after_the_training() -> None:
    scene = Scene()
    scene.look(1_000)
    scene.is_alive = False
    assert not scene.look(1_001)
    assert scene.patience.has_died.is_set()
    assert not scene.look(1_060)
    assert scene.look(1_061)


def test_whatever_gets_through_prolongs_it() -> None:
    scene = Scene()
    scene.is_alive = False
    scene.look(0)
    scene.now = 50
    scene.patience.moved()
    assert not scene.look(109)
    assert scene.look(110)


def test_the_thread_sees_the_death() -> None:
    scene = Scene()
    with scene.patience:
        assert not scene.patience.has_died.is_set()
        scene.is_alive = False
        assert scene.patience.has_died.wait(10)
