"""What bench/scale's stubs answer: gateways' statistics, Prometheus, the object store."""
from scale.stubs import gateway, object_store, prometheus

OPERATORS = r"^(tidegate\.(requests|ended)\.cluster\.(b/a|b/b)/|cluster\.tidegate/version\.version_text$|server\.uptime$)"


def test_the_version_that_a_gateway_has_applied_is_a_statistic():
    assert gateway.process_statistics("7", 5, OPERATORS) == ['cluster.tidegate/version.version_text: "7"', "server.uptime: 5"]
    assert gateway.process_statistics("", 5, OPERATORS) == ["server.uptime: 5"]


def test_the_names_of_objects_are_read_from_the_operators_expression():
    assert gateway.wanted_objects(OPERATORS) == {"b/a", "b/b"}
    assert gateway.wanted_objects(OPERATORS.replace("(b/a|b/b)/", "")) is None


def test_the_gateway_answers_for_the_objects_that_are_asked_for():
    known = gateway.Revisions()
    known.note({"bench/a/a-1", "bench/b/b-1"}, 0)
    wanted = gateway.wanted_objects(r"^(tidegate\.(requests|ended|latency)\.cluster\.)(bench/a|bench/c)/|x")
    lines = gateway.statistics(known.of(wanted), True, now=100)
    assert f"tidegate.requests.cluster.bench/a/a-1: {100 * gateway.REQUESTS_PER_SECOND}" in lines
    assert not any("bench/b" in line for line in lines)
    assert sum(gateway.DURATIONS.values()) == 100


def test_a_revision_is_known_since_its_cluster_appeared():
    known = gateway.Revisions()
    known.note({"bench/a/a-1", "not-a-revision"}, 1)
    known.note({"bench/a/a-1", "bench/a/a-2", "bench/b/b-1"}, 2)
    known.note({"bench/a/a-1", "bench/b/b-1"}, 3)
    known.note({"bench/a/a-1", "bench/a/a-2"}, 4)
    assert sorted(known.of(None)) == [("bench/a/a-1", 1), ("bench/a/a-2", 4)]
    assert known.of(["bench/b", "bench/c"]) == []


def test_a_filter_without_names_is_for_all():
    assert gateway.wanted_objects(r"^(tidegate\.(requests|ended)\.cluster\.)|server\.uptime$") is None


def test_prometheus_says_that_it_is_there_and_that_all_is_well():
    assert (prometheus.answer("vector(1)"), prometheus.answer("histogram_quantile(0.99, x)"), prometheus.answer("sum(x)")) == (
        "1", "0.1", "100")


def test_two_versions_of_a_model_are_different_files():
    first, second = (object_store.listing("models", f"m1/{version}/", "") for version in (1, 2))
    assert "m1/1/saved_model.pb" in first and first.replace("m1/1/", "m1/2/") != second
    assert "<Prefix>m1/2/</Prefix>" in object_store.listing("models", "m1/", "/")
    assert "<KeyCount>0</KeyCount>" in object_store.listing("models", "m1/none/", "")
