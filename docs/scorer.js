// How the site's search ranks: pages that teach come before the reference of functions. The numbers are Sphinx's own.
var Scorer = {
  score: ([page, , , , score]) => score + (/^(pages\/\d\d_|pages\/guide|how_to\/)/.test(page) ? 12 : 0),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
