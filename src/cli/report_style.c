/* SPDX-License-Identifier: Apache-2.0 */
/* The looks of a report: paper and ink as on the page of the demo, one accent, and fonts that are there. */
#include "cli/report_markup.h"

static const char *const rules[] = {
    ":root{color-scheme:light;--paper:#fbfaf7;--card:#fff;--ink:#2a2522;--quiet:#625b55;--line:#e2ded6;--edge:#8f8780;"
    "--accent:#0b5f6b;--raw:#9cc3c6;--wash:#e3f0f1;--bad:#9c2f22}",
    "@media screen and "
    "(prefers-color-scheme:dark){:root{color-scheme:dark;--paper:#171412;--card:#1f1b18;--ink:#ece7df;"
    "--quiet:#b0a89f;--line:#3b3530;--edge:#8a827a;--accent:#7fd3df;--raw:#2f6c74;--wash:#1d3438;--bad:#f0a093}}",
    "*{box-sizing:border-box}html{-webkit-text-size-adjust:100%;text-size-adjust:100%}",
    "body{margin:0 auto;max-width:70rem;padding:1.5rem clamp(1rem,4vw,2.5rem) 4rem;background:var(--paper);"
    "color:var(--ink);font:1rem/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Noto Sans',Arial,"
    "sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:break-word}code,.texts{overflow-wrap:anywhere}",
    "h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem}h2{font-size:1.25rem;margin:2.6rem 0 .4rem}"
    "h3{font-size:1rem;margin:1.2rem 0 .3rem}p{margin:.3rem 0 .8rem;max-width:46rem}.quiet{color:var(--quiet)}",
    "a{color:var(--accent)}code{font-size:.92em;unicode-bidi:isolate}",
    ".totals{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.6rem;margin:1.2rem 0;padding:0}",
    ".totals div{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.6rem .8rem}"
    ".totals dt{color:var(--quiet);font-size:.85rem}.totals dd{margin:0;font-size:1.25rem}"
    ".totals small{display:block;color:var(--quiet);font-size:.8rem}",
    "table{border-collapse:collapse;width:100%}th,td{text-align:right;padding:.28rem .5rem;border-bottom:1px solid "
    "var(--line);vertical-align:middle}th{color:var(--quiet);font-weight:600;font-size:.85rem}"
    "th:first-child,.left{text-align:left}tbody th{color:var(--ink);font-size:1rem}",
    "svg{display:block;max-width:none}svg text{font:11px system-ui,sans-serif;fill:var(--quiet)}.end{text-anchor:end}",
    ".bar{width:100%;min-width:8rem;height:1.15rem}.counts td:nth-child(2){width:32%}",
    ".raw{fill:var(--raw)}.interval,.found{fill:var(--accent)}.axis{stroke:var(--edge)}"
    ".threshold{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:4 3}",
    ".cell{fill:var(--accent)}.none,.same{fill:var(--line);fill-opacity:.35}.same{fill-opacity:.9}",
    ".line{fill:none;stroke:var(--accent);stroke-width:1.5}.point{fill:var(--accent)}",
    ".key{display:inline-flex;gap:.35rem;align-items:center;margin-right:1.2rem}.key svg{flex:none}",
    ".wide{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.6rem}"
    ".wide:focus-visible{outline:2px solid var(--accent)}.wide table{width:auto;min-width:100%}"
    ".wide th,.wide td{white-space:nowrap}",
    ".charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(13.5rem,1fr));gap:.8rem}",
    "figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.6rem .7rem}"
    "figure svg{width:100%;height:auto}figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 "
    ".6rem;font-weight:600}"
    "figcaption span{font-weight:400;color:var(--quiet);font-size:.85rem;text-align:right}",
    ".texts{list-style:none;margin:0;padding:0}.texts li{background:var(--card);border-left:3px solid var(--raw);"
    "margin:.4rem 0;padding:.4rem .8rem}.texts p{margin:0;max-width:none;white-space:pre-line}"
    ".texts small{color:var(--quiet)}.examples{columns:24rem 2;column-gap:1.6rem}"
    ".examples section{break-inside:avoid-column;padding-bottom:.4rem}.examples h3{margin-top:.2rem}",
    "@media screen and (max-width:40rem){.counts,.counts tbody{display:block}.counts thead{position:absolute;"
    "width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}.counts "
    "tr{display:grid;grid-template-columns:repeat(6,1fr);"
    "gap:0 .6rem;padding:.5rem 0;border-bottom:1px solid var(--line)}",
    ".counts th,.counts td{display:block;border:0;padding:.1rem 0;text-align:left;grid-column:span 2}.counts "
    "th,.counts td:nth-child(2){grid-column:span 3}"
    ".counts td[colspan]{grid-column:span 4}.counts td:nth-child(2){width:auto;"
    "align-self:center}.counts td[data-name]::before{content:attr(data-name);display:block;color:var(--quiet);"
    "font-size:.78rem}.charts{grid-template-columns:1fr 1fr}figcaption{display:block}figcaption span{display:block;"
    "text-align:left}}",
    "@media screen and (max-width:22rem){.charts{grid-template-columns:1fr}}",
    "@media print{body{max-width:none;padding:0;font-size:9.5pt;background:#fff}.wide{overflow:visible;border:0;"
    "padding:0}.pairs{max-width:100%;height:auto}figure,tr,.texts li,.totals div{break-inside:avoid}"
    "h2,h3{break-after:avoid}.charts{grid-template-columns:repeat(4,1fr)}"
    ".raw,.interval,.found,.cell,.none,.same{print-color-adjust:exact;-webkit-print-color-adjust:exact}}",
};

void cli_report_style(cli_markup *to) {
  cli_markup_put(to, "<style>");
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) cli_markup_put(to, "%s", rules[i]);
  cli_markup_put(to, "</style>\n");
}
