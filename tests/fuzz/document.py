"""What was tried, how often, and what was found, as a table in a document."""

from pathlib import Path

from . import corpus

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "fuzzing.md"
BEGIN, END = "<!-- log -->", "<!-- end -->"


def row(target, records):
    """Sum up all the runs of one target."""
    tried = sum(record["inputs tried"] for record in records)
    minutes = sum(record["seconds"] for record in records) / 60
    found = [text for record in records for text in record["found"]]
    latest = records[-1]
    cells = [target, f"{len(records)}", f"{minutes:.1f}", f"{tried:,}", f"{latest['reached']:,}"]
    return " | ".join([*cells, f"{latest['inputs kept']}", f"{len(found)}"])


def table(log):
    """Return the table, and a list of what was found."""
    lines = [
        "| target | runs | minutes | inputs tried | edges reached | inputs kept | failures |",
        "|---|" + "---:|" * 6,
    ]
    for target in corpus.TARGETS:
        records = [record for record in log if record["target"] == target]
        if records:
            lines.append(f"| {row(target, records)} |")
    for record in log:
        for text in record["found"]:
            lines += ["", f"* `{record['target']}`, seed {record['seed']}: `{' '.join(text.split())[:200]}`"]
    return "\n".join(lines)


def write(log):
    """Put the table between the marks of the document."""
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table(log)}\n{END}{after}")
