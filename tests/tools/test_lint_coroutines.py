"""tools/lint-coroutines on single statements."""
import pathlib
import subprocess

import pytest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "lint-coroutines"


@pytest.fixture
def lint(tmp_path):
    def run(text):
        file = tmp_path / "a.cc"
        file.write_text(text)
        done = subprocess.run([TOOL, file], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


GOOD = [
    "co_await sleep(clock, absl::Seconds(1));",
    "auto answer = co_await client.get(path);",
    "const absl::StatusOr<Response> answer = co_await client.get(path, Options{.pages = 2});",
    "answer = co_await client.get(path);",
    "world->status = co_await signal->wait();",
    "answers[name] = co_await client.get(name);",
    "if (ready) co_await sleep(clock);",
    "if (a == b && !c) {\n  co_await sleep(clock);\n} else {\n  x = co_await f();\n}",
    "else co_await release();",
    "while (running) co_await step();",
    "for (const auto& item : items) total = co_await add(item);",
    "switch (kind) {\n  case Kind::kOne: co_await one(); break;\n  default: co_await other();\n}",
    '// if (co_await f()) {}\nlog("if (co_await f())");',
    "auto text = R\"(f(co_await g()))\";",
    "const int large = 1'000'000; auto x = co_await f();",
    "auto task = [](Client client) -> Task<int> { co_return co_result; };",
    "auto sum = [&](int a) { return a + b; };",
]

BAD = [
    "if (co_await ready()) stop();",
    "while (!co_await ready()) stop();",
    "auto x = flag ? co_await f() : g();",
    "auto x = a && co_await f();",
    "auto x = 1 + co_await f();",
    "use(co_await f());",
    "auto x = use(1, co_await f());",
    "std::vector<int> x{co_await f()};",
    "Pair x = {1, co_await f()};",
    "return_status = use(co_await f(), 2);",
    "co_return co_await f();",
    "for (auto& x : co_await f()) use(x);",
    "x == co_await f();",
    "auto task = [this]() -> Task<int> { co_return 1; };",
    "auto task = [&](int a) -> Task<int> {\n  co_await f(a);\n};",
    "spawn([client = client] { auto inner = [](int) { return 1; }; co_await f(); });",
]


@pytest.mark.parametrize("text", GOOD)
def test_a_safe_shape_passes(lint, text):
    code, output = lint("Task<int> f() {\n" + text + "\n}\n")
    assert code == 0, output


@pytest.mark.parametrize("text", BAD)
def test_an_unsafe_shape_fails(lint, text):
    code, output = lint("Task<int> f() {\n" + text + "\n}\n")
    assert code == 1, output


def test_a_fault_is_told_with_its_line(lint):
    assert "a.cc:3: co_await" in lint("// one\n/* two\n*/ int x = use(co_await f());\n")[1]


def test_a_lambda_that_starts_a_free_coroutine_passes(lint):
    assert lint("void f() { post([this] { spawn([](int a) -> Task<int> { co_await g(a); }(1)); }); }\n")[0] == 0
