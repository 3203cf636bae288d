"""The controllers that are measured, by the name that --peers gives them."""
from .argo import Argo
from .flagger import Flagger
from .kserve import KServe
from .tidegate import Tidegate, TidegateWithAnalysis

PEERS = {peer.name: peer for peer in (Tidegate, TidegateWithAnalysis, Argo, Flagger, KServe)}
