"""The look of the report's page: one palette for light and one for dark, figures in columns, charts that take their colors from here."""

from __future__ import annotations

STYLE = """
:root{--paper:#faf8f4;--card:#fff;--ink:#23262b;--soft:#646a73;--line:#e4e0d8;--first:#2f5d8c;--second:#c8643c;--good:#2f7d4f;--bad:#b3362d}
@media(prefers-color-scheme:dark){:root{--paper:#15171a;--card:#1d2024;--ink:#e9e6df;--soft:#a0a5ad;--line:#33373d;--first:#7fb0e0;
--second:#e8956c;--good:#74c694;--bad:#f08a80}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main{max-width:1080px;margin:0 auto;padding:0 24px}
header{padding-top:56px}
h1{font:600 2.5rem/1.15 ui-serif,Georgia,"Times New Roman",serif;margin:0;letter-spacing:-.01em}
h2{font:600 1.4rem/1.25 ui-serif,Georgia,"Times New Roman",serif;margin:0 0 4px}
.eyebrow{margin:0 0 8px;color:var(--soft);font-size:.8rem;letter-spacing:.08em;text-transform:uppercase}
.lead{margin:8px 0 20px;color:var(--soft)}
.verdict{display:inline-block;margin:0;padding:6px 14px;border:1px solid currentColor;border-radius:999px;font-weight:600}
.good{color:var(--good)}.bad{color:var(--bad)}
section{margin:28px 0;padding:24px;background:var(--card);border:1px solid var(--line);border-radius:12px}
section>p{margin:0 0 12px;color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:14px;margin:28px 0}
.tile{padding:16px 18px;background:var(--card);border:1px solid var(--line);border-radius:12px}
.tile dt{color:var(--soft);font-size:.85rem}.tile dd{margin:4px 0 0}
.tile strong{display:block;font:600 1.6rem/1.2 ui-serif,Georgia,serif;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:.82rem}
.ledger{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:32px;align-items:start}
table{width:100%;border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{padding:6px 0;color:var(--soft);text-align:left}
th{font-weight:500;text-align:left}thead th{color:var(--soft);border-bottom:1px solid var(--ink)}
th,td{padding:6px 10px 6px 0;border-bottom:1px solid var(--line);vertical-align:top}
.ledger td,.n{text-align:right;white-space:nowrap}
tfoot th,tfoot td{border-top:1px solid var(--ink);border-bottom:0;font-weight:700}
.scroll{overflow-x:auto;max-height:70vh}
details{margin-top:14px}summary{cursor:pointer;color:var(--first);padding:4px 0}
summary:focus-visible{outline:2px solid var(--first);outline-offset:3px;border-radius:4px}
svg{display:block;width:100%;height:auto;margin-top:8px;font:13px ui-sans-serif,system-ui,sans-serif;font-variant-numeric:tabular-nums}
svg text{fill:var(--ink)}svg .tick{fill:var(--soft)}svg .value{fill:var(--soft)}
svg .grid{stroke:var(--line)}svg .first{fill:var(--first)}svg .second{fill:var(--second)}
.checks{list-style:none;margin:8px 0 0;padding:0}.checks>li{padding:8px 0 8px 30px;position:relative;color:var(--ink)}
.checks>li::before{position:absolute;left:2px;font-weight:700}
.checks>.good::before{content:"\\2713";color:var(--good)}.checks>.bad::before{content:"\\2717";color:var(--bad)}
.checks strong{text-transform:capitalize}.checks span{color:var(--soft)}
@media print{section{break-inside:avoid;border:0;padding:0}details>div{max-height:none}}
""".replace("\n", "")
