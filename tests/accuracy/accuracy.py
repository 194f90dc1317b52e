"""accuracy.py PROGRAM ROOT [--update]: whether docs/accuracy.md and README say how accurate it is.

The page is its head, up to the line "<!-- measured -->", and then what `validate` finds for the
measurements in validation/data. README has a table between "<!-- accuracy -->" and "<!-- end -->".
--update writes both anew.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

PREDICTIONS = {"simulated": "simulated", "roofline": "roofline", "bandwidth_only": "bandwidth only"}


def percent(ratio, signed=False):
    if ratio is None:
        return ""
    return f"{100 * ratio:+.1f} %" if signed else f"{100 * ratio:.1f} %"


def quantile(values, share):
    values = sorted(values)
    count = len(values)
    if share == 0.5 and count % 2 == 0:
        return (values[count // 2 - 1] + values[count // 2]) / 2
    return values[max(-(-share * count // 1), 1).__int__() - 1]


def errors(rows, prediction="simulated"):
    return [row[prediction] / row["measured"] - 1 for row in rows if row.get(prediction) is not None]


def median(rows, prediction="simulated"):
    found = [abs(error) for error in errors(rows, prediction)]
    return quantile(found, 0.5) if found else None


def table(head, rows, numbers_follow=True):
    yield "| " + " | ".join(head) + " |"
    yield "| --- |" + (" ---: |" if numbers_follow else " --- |") * (len(head) - 1)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def grouped(rows):
    groups = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    return groups


def summary_row(name, rows, others):
    found = errors(rows)
    if not found:
        return None
    worst = max((row for row in rows if row["simulated"] is not None),
                key=lambda row: abs(row["simulated"] / row["measured"] - 1))
    sizes = [abs(error) for error in found]
    return [name, str(len(found)), percent(quantile(sizes, 0.5)), percent(sum(sizes) / len(sizes)),
            percent(quantile(sizes, 0.9)), percent(sum(found) / len(found), True),
            percent(worst["simulated"] / worst["measured"] - 1, True) + " " + worst["id"],
            *[percent(median(rows, other)) for other in others]]


def summary_table(rows, total=None):
    others = [name for name in ("roofline", "bandwidth_only") if any(row.get(name) for row in rows)]
    body = [summary_row(group, members, others) for group, members in grouped(rows).items()]
    if total:
        body.append(summary_row(f"**{total}**", [row for row in rows if row["in_overall"]], others))
    head = ["group", "rows", "median", "mean", "9 in 10", "bias", "worst"]
    yield from table(head + [PREDICTIONS[name] + ": median" for name in others],
                     [row for row in body if row])


def bloom_table(cases):
    shown = [("bloom-tp8-fp16-b1", "TP=8, DeepSpeed-Inference, fp16, batch 1"),
             ("bloom-pp8naive-bf16-b1", "naive PP=8, accelerate, bf16, batch 1"),
             ("bloom-zero3-bf16-b1-step", "ZeRO-3, DeepSpeed, bf16, batch 1 per GPU")]
    rows = {row["id"]: row for row in cases}
    body = []
    for name, words in shown:
        row = rows[name]
        body.append([words, f"{row['measured']:.1f}", f"{row['simulated']:.1f}",
                     percent(row["simulated"] / row["measured"] - 1, True)])
    yield from table(["BLOOM-176B on 8x A100-80GB, ms a step", "measured", "simulated", "error"], body)


def validate(program, kind, path):
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "report.json"
        subprocess.run([program, "validate", f"--{kind}", path, "--format", "json", "--output", output],
                       check=True)
        return json.loads(output.read_text())


def not_covered(rows):
    reasons = {}
    for row in rows:
        if row["status"] != "ok":
            reasons.setdefault(f"{row['status']}: {row['reason']}", []).append(row["id"])
    yield from table(["why", "rows", "such as"],
                     [[why, str(len(names)), names[0]] for why, names in reasons.items()])


def summary_words(rows, what):
    found = errors(rows)
    sizes = [abs(error) for error in found]
    worst = max(rows, key=lambda row: abs(row["simulated"] / row["measured"] - 1))
    within = sum(size <= 0.15 for size in sizes)
    return (f"{len(found)} {what}: median {percent(quantile(sizes, 0.5))}, {percent(within / len(sizes))} of them within 15 %, "
            f"nine in ten within {percent(quantile(sizes, 0.9))}, bias {percent(sum(found) / len(found), True)}, worst "
            f"{percent(worst['simulated'] / worst['measured'] - 1, True)} ({worst['id']}).")


def ranking_words(ranking):
    wrong = "; ".join(" and ".join(pair) for pair in ranking["wrong"])
    return (f"Layouts measured more than 10 % apart come out in the right order in {ranking['right']} of "
            f"{ranking['pairs']} pairs" + (f": not {wrong}" if wrong else "") + ".")


def residual_rows(root):
    """Fits of links and communication kernels: the files of their parameters tell their residuals."""

    def of(name, fit):
        entries = fit.items() if isinstance(fit, dict) else enumerate(fit)
        for key, value in entries:
            if key == "residuals":
                yield [name, value]
            elif isinstance(value, (dict, list)):
                more = "" if key == "kernels" else " " + str(key)
                if isinstance(value, dict) and "transport" in value:
                    more = f" {value['transport']}, compute capability {value['compute_capability']}"
                yield from of(name + more, value)

    for path in sorted((root / "sim/network").glob("*/fits/*.json")):
        fit = json.loads(path.read_text())
        yield from of(fit["name"], fit)


def executed_rows(program, data):
    """Runs of decodesim-measure in validation/data/MACHINE, beside the simulation of the same plans."""
    files = [path for path in sorted(data.glob("*/*.json")) if json.loads(path.read_text()).get("kind") == "plan"]
    return [{**row, "group": f"{path.parent.name}: {row['group']}"}
            for path in files for row in validate(program, "measured", path)["cases"]]


def executed_tables(rows):
    if not rows:
        yield ("None yet: `scripts/measure` makes them. What is compared is each decode step, each kind of operation and each "
               "operation of the plan.\n")
        return
    yield from summary_table(rows, "all steps")


def page(program, root):
    data = root / "validation/data"
    cases = validate(program, "cases", data / "cases.csv")
    rows = cases["cases"]
    is_alone = lambda row: row["group"].startswith(("NCCL,", "DeepEP"))
    unseen = [row for row in rows if not row["fitted"] and not is_alone(row)]
    clean = [row for row in unseen if row["in_overall"]]
    ran = [row for row in clean if row["simulated"] is not None]
    yield "## Decoding, never fitted\n"
    yield summary_words(ran, "clean rows") + " " + ranking_words(cases["layout_ranking"]) + "\n"
    yield from summary_table(clean, "all")
    yield from bloom_table(rows)
    yield ("Rows that are not clean: prefill dominates them, their batch is not known, or their host or its links are not "
           "described.\n")
    yield from summary_table([row for row in unseen if not row["in_overall"]])
    yield "## Decoding, fitted\n"
    yield "Residuals of rows on one GPU and of FasterTransformer's 20B runs, to which host costs and delays were fitted.\n"
    yield from summary_table([row for row in rows if row["fitted"]])
    yield "## Collectives, never fitted\n"
    systems = [row for path in sorted((data / "collectives").glob("*.csv"))
               for row in validate(program, "collectives", path)["cases"]]
    alone = [row for row in rows if is_alone(row) and row["in_overall"]]
    told = [row for row in systems + alone if row["simulated"] is not None and row["in_overall"]]
    yield summary_words(told, "rows from 8 B to 16 GB") + "\n"
    yield from summary_table(systems + alone, "all")
    yield "## Collectives, fitted\n"
    yield from table(["kernel", "residuals"], residual_rows(root), False)
    operators = [row for path in sorted((data / "kernels").glob("*.csv"))
                 for row in validate(program, "operators", path)["cases"]]
    yield "## Kernels, fitted\n"
    yield "All tables of a GPU count alike in the fit of a class.\n"
    yield from summary_table(operators)
    executed = executed_rows(program, data)
    yield "## Plans executed on GPUs, never fitted\n"
    yield from executed_tables(executed)
    yield "## Not simulated\n"
    yield from not_covered(rows + systems + operators + executed)


def main():
    program, root = sys.argv[1], Path(sys.argv[2])
    text = "\n".join(page(program, root))
    wrong = []

    def put(path, begin, end, new):
        shown = path.read_text()
        head, rest = shown.split(begin, 1)
        tail = rest.split(end, 1)[1] if end else ""
        drawn = head + begin + "\n\n" + new.rstrip("\n") + "\n" + (("\n" + end + tail) if end else "")
        if shown != drawn:
            if "--update" in sys.argv:
                path.write_text(drawn)
            else:
                wrong.append(path)

    put(root / "docs/accuracy.md", "<!-- measured -->", "", text)
    lines = text.split("\n")
    first = next(i for i, line in enumerate(lines) if line.startswith("| BLOOM"))
    summary = next(line for line in lines if "clean rows: median" in line)
    put(root / "README.md", "<!-- accuracy -->", "<!-- end -->",
        summary + "\n\n" + "\n".join(lines[first:first + 5]))
    for path in wrong:
        print(f"{path} does not say what validate finds.")
        print(f"If that is meant: python3 tests/accuracy/accuracy.py {program} {root} --update")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
