"""A server that unloads and loads its model again and again, and what memory it has after each time."""

import pathlib

from processes import open_descriptors, resident_bytes

# A model of each backend: what it is called, and a request that it answers.
MODELS = {
    "SavedModel": ("half_plus_two", {"instances": [2]}),
    "ONNX": ("onnx_half_plus_two", {"instances": [2]}),
    "TFLite": ("lite_half", {"instances": [2]}),
}

CYCLES_IN_TEST = 100
# What may pass for noise. A model that stayed would take many times as much each time.
MOST_BYTES_A_CYCLE = 50 << 10


def cycle(runtime, body):
    for word in ("unload", "load"):
        answer = runtime.session.post(f"http://{runtime.rest}/v2/repository/models/{runtime.model}/{word}", timeout=60)
        assert answer.status_code == 200, answer.text
    answer = runtime.session.post(f"http://{runtime.rest}/v1/models/{runtime.model}:predict", json=body, timeout=60)
    assert answer.status_code == 200, answer.text


def sample(runtime, body, cycles):
    """[(cycles so far, resident bytes, open descriptors)], from before the first cycle on."""
    pid = runtime.process.pid
    samples = [(0, resident_bytes(pid), open_descriptors(pid))]
    for done in range(1, cycles + 1):
        cycle(runtime, body)
        samples.append((done, resident_bytes(pid), open_descriptors(pid)))
    return samples


def slope(points):
    """Of the least-squares line through (x, y): what y gains for one more x."""
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points))
    return (sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points))


def growth_a_cycle(samples):
    """Bytes, over the last three quarters: at first the allocator and the libraries fill what they keep."""
    return slope([(done, memory) for done, memory, _ in samples[len(samples) // 4:]])


def write_csv(path, samples):
    lines = ["cycles,resident_bytes,descriptors", *(",".join(map(str, one)) for one in samples)]
    pathlib.Path(path).write_text("\n".join(lines) + "\n")


def write_svg(path, curves):
    """A plot of resident memory over cycles; `curves` is {name: samples}."""
    width, height, left, bottom = 800, 400, 70, 40
    colours = ("#1b6ca8", "#c8553d", "#588157")
    most_x = max(samples[-1][0] for samples in curves.values())
    most_y = 1.1 * max(memory for samples in curves.values() for _, memory, _ in samples)

    def at(done, memory):
        return f"{left + (width - left - 10) * done / most_x:.1f},{(height - bottom) * (1 - memory / most_y) + 5:.1f}"

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="white"/>']
    for i in range(5):
        x, y = at(0, most_y * i / 4).split(",")
        parts.append(f'<line x1="{x}" y1="{y}" x2="{width - 10}" y2="{y}" stroke="#ddd"/>'
                     f'<text x="{left - 6}" y="{y}" text-anchor="end">{most_y * i / 4 / 2**20:.0f} MiB</text>')
        x, y = at(most_x * i / 4, 0).split(",")
        parts.append(f'<text x="{x}" y="{float(y) + 18}" text-anchor="middle">{most_x * i // 4}</text>')
    parts.append(f'<text x="{width / 2}" y="{height - 5}" text-anchor="middle">cycles of unload, load and one request</text>')
    for (name, samples), colour, row in zip(curves.items(), colours, range(len(colours))):
        line = " ".join(at(done, memory) for done, memory, _ in samples)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
                     f'<text x="{width - 15}" y="{20 + 16 * row}" text-anchor="end" fill="{colour}">{name}</text>')
    pathlib.Path(path).write_text("\n".join([*parts, "</svg>"]) + "\n")
