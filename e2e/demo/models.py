#!/usr/bin/env python3
"""Makes the three versions of the demo's image classifier, and the images that its users send.

    models.py OUT                      make (or take from the cache) OUT/{1,2,3}, OUT/requests.jsonl, OUT/report.json …

The images are handwritten-looking digits, drawn by this program: strokes with jittered control points, a random slant,
size, place and pen. No data set is downloaded.

  version 1  softmax regression on the pixels: good
  version 2  a hidden layer of 128 units: better
  version 3  version 2 behind a denoiser (two rounds of non-local means), and a check that its author meant well:
             "no image has more than this much ink". The denoiser is real computation, some ten milliseconds an image,
             and the check is an Assert in the model's own graph that one image in eight does not meet.

Everything is seeded. The result is kept under the cache folder by the hash of this file and TensorFlow's version.
Run it with the virtual environment's Python (tools/setup python).
"""
import hashlib
import json
import math
import os
import pathlib
import random
import shutil
import sys
import time

SEED = 7
SIZE = 28                  # pixels an edge, as the models' input wants
TRAINING_IMAGES = 7000
TEST_IMAGES = 1000
USER_IMAGES = 200          # what the users send in turn; a ConfigMap holds at most 1 MiB
FAILING_SHARE = 0.125      # of the images, by version 3's check


# ---- digits ---------------------------------------------------------------------------------------------------------

def arc(cx, cy, rx, ry, begin, end, points=14):
    """Points on an ellipse from angle `begin` to `end` in degrees; 0 is right, 90 is down."""
    angles = [math.radians(begin + (end - begin) * i / (points - 1)) for i in range(points)]
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


# Each digit is a list of strokes in the unit square, y down.
STROKES = {
    0: [arc(.5, .5, .27, .40, -90, 270, 22)],
    1: [[(.36, .26), (.54, .10), (.54, .90)]],
    2: [arc(.5, .32, .26, .22, 190, 380) + [(.26, .90), (.78, .90)]],
    3: [arc(.47, .30, .25, .20, 200, 440), arc(.47, .69, .28, .21, -80, 160)],
    4: [[(.62, .90), (.62, .10), (.22, .64), (.82, .64)]],
    5: [[(.74, .11), (.32, .11), (.28, .46)] + arc(.48, .66, .27, .23, 230, 500)],
    6: [[(.66, .10), (.42, .30), (.28, .58)] + arc(.50, .68, .23, .22, 190, 550, 20)],
    7: [[(.22, .12), (.78, .12), (.44, .90)]],
    8: [arc(.5, .30, .21, .19, -90, 270, 20), arc(.5, .70, .25, .21, -90, 270, 20)],
    9: [arc(.50, .33, .23, .22, 0, 360, 20), [(.73, .33), (.70, .62), (.52, .90)]],
}


def draw_digit(digit, rng):
    """One digit as a 28x28 image, 0…255, drawn four times as large and scaled down so that its edges are soft."""
    from PIL import Image, ImageDraw
    scale = 4 * SIZE
    angle, shear = rng.gauss(0, .12), rng.gauss(0, .15)
    width, height = rng.uniform(.58, .92), rng.uniform(.66, .94)
    dx, dy = rng.gauss(0, .034), rng.gauss(0, .034)
    pen = int(rng.uniform(6, 13))
    wobble = [(rng.gauss(0, .035), rng.gauss(0, .035)) for _ in range(4)]

    def place(x, y):
        # The four corners move a little, and what lies between moves along: no two hands write the same shape.
        wx = sum(w[0] * k for w, k in zip(wobble, ((1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y)))
        wy = sum(w[1] * k for w, k in zip(wobble, ((1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y)))
        u, v = (x + 2 * wx - .5) * width, (y + 2 * wy - .5) * height
        u -= shear * v
        u, v = u * math.cos(angle) - v * math.sin(angle), u * math.sin(angle) + v * math.cos(angle)
        return ((u + .5 + dx) * scale, (v + .5 + dy) * scale)

    image = Image.new("L", (scale, scale), 0)
    canvas = ImageDraw.Draw(image)
    for stroke in STROKES[digit]:
        points = [place(x, y) for x, y in stroke]
        canvas.line(points, fill=255, width=pen, joint="curve")
        for x, y in (points[0], points[-1]):
            canvas.ellipse([x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2], fill=255)
    return image.resize((SIZE, SIZE), Image.Resampling.BOX)


def make_images(count, seed):
    """(images float32 [count, 28, 28, 1] in 0…1 rounded to hundredths, labels int32 [count])."""
    import numpy as np
    rng = random.Random(seed)
    noise = np.random.default_rng(seed)
    labels = np.array([rng.randrange(10) for _ in range(count)], dtype=np.int32)
    images = np.stack([np.asarray(draw_digit(int(label), rng), dtype=np.float32) for label in labels]) / 255
    images += noise.normal(0, .08, images.shape).astype(np.float32) * (noise.random(images.shape) < .25)
    return np.round(np.clip(images, 0, 1), 2)[..., None], labels


# ---- models ---------------------------------------------------------------------------------------------------------

def train(network, images, labels, epochs, rate):
    import keras
    network.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    network.fit(images, labels, batch_size=64, epochs=epochs, verbose=0)
    return network


def denoise(images, rounds=2, patch=5, strength=.35):
    """Non-local means: each pixel becomes the mean of all pixels whose surroundings look alike. 784 x 784 weights a round."""
    import tensorflow as tf
    batch = tf.shape(images)[0]
    for _ in range(rounds):
        patches = tf.image.extract_patches(images, [1, patch, patch, 1], [1, 1, 1, 1], [1, 1, 1, 1], "SAME")
        patches = tf.reshape(patches, [batch, SIZE * SIZE, patch * patch])
        norms = tf.reduce_sum(patches * patches, axis=2, keepdims=True)
        distances = norms - 2 * tf.matmul(patches, patches, transpose_b=True) + tf.transpose(norms, [0, 2, 1])
        weights = tf.nn.softmax(-distances / (strength * strength), axis=2)
        images = tf.reshape(tf.matmul(weights, tf.reshape(images, [batch, SIZE * SIZE, 1])), [batch, SIZE, SIZE, 1])
    return images


def save(network, classify, folder):
    """SavedModel with `serving_default`: images float32 [-1, 28, 28, 1] → probabilities [-1, 10], classes [-1]."""
    import keras
    import tensorflow as tf
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint(
        "serving_default", classify, input_signature=[tf.TensorSpec([None, SIZE, SIZE, 1], tf.float32, name="images")])
    archive.write_out(str(folder), verbose=False)


def answers(network, prepare):
    """The function that a version serves: `prepare` the images, then classify them."""
    import tensorflow as tf

    def classify(images):
        probabilities = network(prepare(images))
        return {"probabilities": probabilities, "classes": tf.argmax(probabilities, axis=1)}
    return classify


def checked_denoise(limit):
    """Version 3's preparation: refuses images with more ink than `limit` (a mean, 0…1), denoises the others."""
    import tensorflow as tf

    def prepare(images):
        ink = tf.reduce_mean(images, axis=[1, 2, 3])
        check = tf.debugging.assert_less(ink, limit, message="version 3 expects thin strokes: this image has too much ink")
        with tf.control_dependencies([check] if check is not None else []):
            return denoise(tf.identity(images))
    return prepare


def make_versions(out):
    """Trains and saves the three versions; returns what report.json says about each."""
    import keras
    import numpy as np
    import tensorflow as tf
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    images, labels = make_images(TRAINING_IMAGES, SEED)
    tests, truths = make_images(TEST_IMAGES, SEED + 1)
    limit = float(np.quantile(tests.mean(axis=(1, 2, 3)), 1 - FAILING_SHARE))

    inputs = keras.Input((SIZE, SIZE, 1))
    flat = keras.layers.Flatten()(inputs)
    linear = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(flat))
    hidden = keras.layers.Dense(128, activation="relu")(flat)
    layered = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(hidden))
    train(linear, images[:3000], labels[:3000], epochs=5, rate=3e-3)
    train(layered, images, labels, epochs=5, rate=1e-3)

    versions = {"1": (linear, tf.identity, "softmax regression"),
                "2": (layered, tf.identity, "hidden layer of 128"),
                "3": (layered, checked_denoise(limit), "denoiser and a wrong check before version 2's network")}
    report = {}
    for version, (network, prepare, what) in versions.items():
        save(network, answers(network, prepare), out / version)
        report[version] = measure(out / version, tests, truths) | {"what": what}
    return report


def measure(folder, tests, truths):
    """Accuracy on the images that the saved model answers, the share that it refuses, and milliseconds an image."""
    import numpy as np
    import tensorflow as tf
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    right = refused = 0
    times = []
    count = 200
    for image, truth in zip(tests[:count], truths[:count]):
        begin = time.perf_counter()
        try:
            right += int(served(images=tf.constant(image[None]))["classes"][0]) == int(truth)
        except tf.errors.InvalidArgumentError:
            refused += 1
            continue
        times.append(1000 * (time.perf_counter() - begin))
    answered = count - refused
    return {"accuracy": round(right / answered, 4), "refused": round(refused / count, 4), "images": count,
            "milliseconds": round(float(np.median(times)), 2)}


# ---- what the users send --------------------------------------------------------------------------------------------

def predict_body(image):
    """TensorFlow Serving's row format for one image, without a byte too many."""
    rows = [[[int(value) if value in (0, 1) else round(float(value), 2)] for value in row.reshape(-1)] for row in image]
    return json.dumps({"instances": [rows]}, separators=(",", ":"))


def write_requests(out):
    from PIL import Image
    images, labels = make_images(USER_IMAGES, SEED + 2)
    (out / "requests.jsonl").write_text("".join(predict_body(image) + "\n" for image in images))
    thin = int(images.mean(axis=(1, 2, 3)).argmin())   # one that every version answers, for the reader's own curl
    (out / "image.json").write_text(predict_body(images[thin]) + "\n")
    large = Image.fromarray((255 - 255 * images[thin, :, :, 0]).astype("uint8")).resize((280, 280), Image.Resampling.NEAREST)
    large.save(out / "image.png")
    return {"requests": USER_IMAGES, "image": {"file": "image.json", "digit": int(labels[thin])}}


# ---- cache ----------------------------------------------------------------------------------------------------------

def cache_folder():
    from importlib import metadata
    base = pathlib.Path(os.environ.get("TIDEGATE_CACHE", pathlib.Path.home() / ".cache" / "tidegate"))
    source = pathlib.Path(__file__).read_bytes() + metadata.version("tensorflow-cpu").encode()
    return base / "demo-models" / hashlib.sha256(source).hexdigest()[:16]


def make(folder):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    work = folder.with_name(folder.name + f".{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    begin = time.monotonic()
    report = {"versions": make_versions(work)} | write_requests(work)
    report["seconds"] = round(time.monotonic() - begin, 1)
    (work / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)   # atomic: whoever sees the folder sees all of it


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    out, folder = pathlib.Path(sys.argv[1]), cache_folder()
    if not (folder / "report.json").exists():
        make(folder)
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(folder, out)
    for version, facts in json.loads((out / "report.json").read_text())["versions"].items():
        print(f"version {version}: {facts['what']}: {100 * facts['accuracy']:.1f} % right, "
              f"{100 * facts['refused']:.1f} % refused, {facts['milliseconds']:.2f} ms an image here")
    return 0


if __name__ == "__main__":
    sys.exit(main())
