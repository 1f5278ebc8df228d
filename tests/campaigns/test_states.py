import pytest

from campaigns import states
from campaigns.states import TransitionError, sources

MAPS = [
    (states.CAMPAIGN_TRANSITIONS, states.CampaignState),
    (states.RUN_TRANSITIONS, states.RunState),
    (states.BATCH_TRANSITIONS, states.BatchState),
    (states.DELIVERY_TRANSITIONS, states.DeliveryState),
]


@pytest.mark.parametrize(("transitions", "choices"), MAPS)
def test_maps_name_known_states_only(transitions, choices) -> None:  # type: ignore[no-untyped-def]
    named = set(transitions) | {state for targets in transitions.values() for state in targets}
    assert named <= set(choices.values)


def test_what_may_have_been_sent_is_never_sent_again() -> None:
    """No way leads from a state that a provider may have seen back to one from which a message is handed over."""
    reached = {"unknown", "sent", "failed", "delivered", "bounced"}
    for state in list(reached):
        assert states.DELIVERY_TRANSITIONS.get(state, frozenset()) <= reached


def test_unreachable_state_is_an_error() -> None:
    with pytest.raises(TransitionError):
        sources(states.DELIVERY_TRANSITIONS, "nowhere")
