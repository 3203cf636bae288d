"""Connections that keep the server waiting: what they cost, whom they delay, and how the process ends under them.
slow_connections.py does the same with ten thousand, until the server has ended them all."""

import resource

import grpc
import numpy as np
from processes import resident_bytes
from slow_crowd import GRPC, REST, SlowCrowd, allow_descriptors
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tfs_clients import predict_request

CROWD = 1000
MOST_BYTES_EACH = 64 << 10


def grpc_predict(runtime):
    request = predict_request("half_plus_two", x=np.array([2], np.float32))
    with grpc.insecure_channel(runtime.grpc, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=30)
    return list(answer.outputs["y"].float_val)


def test_two_thousand_slow_connections_delay_nobody_and_cost_little(start):
    allow_descriptors()
    runtime = start("half_plus_two")
    grpc_predict(runtime)
    before = resident_bytes(runtime.process.pid)
    with SlowCrowd(runtime.rest, CROWD, REST) as rest, SlowCrowd(runtime.grpc, CROWD, GRPC) as other:
        for _ in range(10):
            rest.go_on(), other.go_on()
            assert runtime.predict({"instances": [2]}).json() == {"predictions": [3.0]}
            assert grpc_predict(runtime) == [3.0]
        assert len(rest.open) == CROWD and len(other.open) == CROWD
        assert resident_bytes(runtime.process.pid) - before < 2 * CROWD * MOST_BYTES_EACH


def test_a_process_that_may_have_few_descriptors_takes_all_that_it_can_get(start):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        runtime = start("half_plus_two")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    with SlowCrowd(runtime.rest, 300, REST):
        assert runtime.predict({"instances": [2]}).status_code == 200


def test_sigterm_does_not_wait_for_requests_that_are_never_sent_whole(start):
    allow_descriptors()
    runtime = start("half_plus_two", "--drain-seconds=0", "--grace-seconds=3")
    with SlowCrowd(runtime.rest, 10, REST) as rest, SlowCrowd(runtime.grpc, 10, GRPC) as other:
        rest.go_on(), other.go_on()
        assert runtime.terminate() == 0
        assert "grace period is over" not in runtime.log_path.read_text()
