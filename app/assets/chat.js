// The conversation's behaviour. Gradio gives `element` (the conversation), `trigger` (calls Python) and `watch`.
// Python listens to "edit", "retry", "example", "mark" and "show".

const article = () => document.querySelector("#document article.document");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let marked = null; // the id of the turn whose sentences are marked
let remarking = null; // the turn and the mark that a remark may be added to
let moved = false; // whether the visitor has scrolled the conversation since the last update
let wanted = null; // a citation's id, to be shown as soon as its document is
let before = ""; // the turns that were there at the last update
const open = new Set(); // ids of the turns whose 'How this was found' is open

function scrollTo(target, block) {
  target.scrollIntoView({ block, behavior: calm.matches ? "auto" : "smooth" });
}

function sentencesOf(link) {
  const shown = article();
  if (!shown || shown.dataset.document !== link.dataset.document) return [];
  const [start, end] = [Number(link.dataset.start), Number(link.dataset.end)];
  return [...shown.querySelectorAll(".s")].filter((s) => Number(s.dataset.start) < end && Number(s.dataset.end) > start);
}

function unmark() {
  for (const sentence of document.querySelectorAll("#document .s:is(.cited, .near)")) {
    sentence.classList.remove("cited", "near", "chosen");
    sentence.querySelectorAll(".back").forEach((back) => back.remove());
    sentence.textContent = sentence.textContent;
  }
}

function emphasise(sentence, link) {
  if (!link.dataset.short) return;
  const [first, last] = link.dataset.short.split(",").map(Number);
  const letters = Array.from(sentence.textContent); // offsets count code points
  const strong = document.createElement("strong");
  strong.textContent = letters.slice(first, last).join("");
  sentence.replaceChildren(letters.slice(0, first).join(""), strong, letters.slice(last).join(""));
}

// Marks what a turn cites; a chosen citation more strongly.
function mark(turn, chosen) {
  unmark();
  const near = chosen && chosen.dataset.what === "near";
  for (const link of near ? [chosen] : turn.querySelectorAll(".cite[data-what=cite]")) {
    sentencesOf(link).forEach((sentence, place) => {
      if (place === 0) emphasise(sentence, link);
      sentence.classList.add(near ? "near" : "cited");
      sentence.classList.toggle("chosen", link === chosen);
      if (place > 0) return;
      const back = document.createElement("a");
      back.className = "back";
      back.href = `#${link.id}`;
      back.textContent = near ? "≈" : link.dataset.number;
      back.setAttribute("aria-label", near ? "Back to the closest sentences" : `Back to citation ${link.dataset.number}`);
      sentence.prepend(back);
    });
  }
  // Numbers of sentences that begin on one line stand side by side, the last one nearest to the text.
  const line = [];
  for (const back of document.querySelectorAll("#document .back")) {
    if (line.length && Math.abs(line[0].offsetTop - back.offsetTop) >= 8) line.length = 0;
    for (const earlier of line) earlier.style.left = `${earlier.offsetLeft - 18}px`;
    line.push(back);
  }
  marked = turn.id;
}

// Shows a citation in its document, which is fetched first where another one is shown.
function show(link, focus) {
  if (article()?.dataset.document !== link.dataset.document) {
    wanted = link.id;
    trigger("show", { document: link.dataset.document });
    return;
  }
  mark(link.closest(".turn"), link);
  const [sentence] = sentencesOf(link);
  if (!sentence) return;
  scrollTo(sentence, "center");
  if (focus) sentence.querySelector(".back")?.focus({ preventScroll: true });
}

element.addEventListener("click", (event) => {
  const link = event.target.closest(".cite");
  if (link) {
    event.preventDefault();
    return show(link, true);
  }
  const button = event.target.closest("button");
  if (!button) return;
  const turn = Number(button.closest(".turn")?.dataset.turn ?? 0);
  if (button.dataset.do) trigger(button.dataset.do, { turn, question: button.dataset.question ?? "" });
  if (button.dataset.copy) copy(button);
  if (button.dataset.mark) {
    remarking = { turn, mark: button.dataset.mark };
    const already = button.getAttribute("aria-pressed") === "true";
    already ? openRemark() : trigger("mark", { turn, right: remarking.mark === "right", remark: "" });
  }
  if (["edit", "retry", "example"].includes(button.dataset.do)) box()?.focus();
  if ("close" in button.dataset) closeRemark(button.closest("form"));
});

element.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  closeRemark(form);
  const remark = form.elements.remark.value;
  if (remark.trim()) trigger("mark", { turn: Number(form.dataset.turn), right: form.dataset.mark === "right", remark });
});

element.addEventListener("keydown", (event) => {
  moved ||= ["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", " "].includes(event.key);
  if (event.key !== "Escape") return;
  const form = event.target.closest("form.remark");
  form ? closeRemark(form) : element.classList.add("without-cards");
});

for (const again of ["pointerover", "focusin"]) {
  element.addEventListener(again, (event) => {
    const about = event.target.closest(".marked");
    if (!about) return;
    element.classList.remove("without-cards");
    // A card that would end below the conversation stands above its sentence.
    const { bottom } = about.getBoundingClientRect();
    const frame = innerWidth > 900 ? element.closest("#conversation").getBoundingClientRect().bottom : innerHeight;
    about.classList.toggle("above", bottom + 140 > frame);
  });
}

// Escape in the box of the question gives an edit up; after that, and after 'Cancel', the keyboard is in the box again.
document.addEventListener("keydown", (event) => {
  const cancel = document.querySelector("#cancel");
  if (event.key === "Escape" && event.target.closest("#question") && cancel?.checkVisibility()) cancel.click();
});
document.addEventListener("click", (event) => event.target.closest("#cancel") && box()?.focus());

// Where the visitor scrolls back to an older answer, that one is marked.
for (const sign of ["wheel", "touchmove", "pointerdown"]) {
  element.addEventListener(sign, () => (moved = true), { passive: true });
}
let settled = 0;
document.addEventListener(
  "scroll",
  (event) => {
    if (!moved || event.target.closest?.("#document")) return;
    clearTimeout(settled);
    settled = setTimeout(markInView, 150);
  },
  { capture: true, passive: true },
);

function markInView() {
  const frame = element.closest("#conversation").getBoundingClientRect();
  const [top, bottom] = [Math.max(frame.top, 0), Math.min(frame.bottom, innerHeight)];
  const seen = (turn) => {
    const said = turn.querySelector(".said").getBoundingClientRect();
    return Math.min(said.bottom, bottom) - Math.max(said.top, top);
  };
  const turns = [...element.querySelectorAll(".turn[data-turn]")].filter((turn) => seen(turn) > 0);
  if (turns.length && !turns.some((turn) => turn.id === marked)) mark(turns.at(-1), null);
}

element.addEventListener(
  "toggle",
  (event) => {
    const turn = event.target.closest(".turn");
    if (turn) event.target.open ? open.add(turn.id) : open.delete(turn.id);
  },
  true,
);

document.addEventListener("click", (event) => {
  const back = event.target.closest("#document .back");
  if (!back) return;
  event.preventDefault();
  const link = document.getElementById(back.getAttribute("href").slice(1));
  if (!link) return;
  scrollTo(link, "center");
  link.focus({ preventScroll: true });
});

const box = () => document.querySelector("#question textarea");

// Once a mark is written down, a remark may be added to it.
function openRemark() {
  const thumb = remarking && element.querySelector(`#turn-${remarking.turn} [data-mark=${remarking.mark}][aria-pressed=true]`);
  if (!thumb) return;
  const form = thumb.closest(".answer").querySelector("form.remark");
  form.dataset.mark = remarking.mark;
  remarking = null;
  form.hidden = false;
  form.elements.remark.focus();
}

// The keyboard goes back to where the form was opened from.
function closeRemark(form) {
  form.hidden = true;
  form.closest(".answer").querySelector(`[data-mark=${form.dataset.mark}]`).focus();
}

async function copy(button) {
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    // Without a secure address there is no clipboard, but there is still the old way.
    const field = document.createElement("textarea");
    field.value = button.dataset.copy;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = said), 1500);
}

// The newest answer is marked in the document, without moving the focus.
function showNewest() {
  const turn = [...element.querySelectorAll(".turn[data-turn]")].at(-1);
  element.querySelectorAll(".turn.newest").forEach((each) => each.classList.remove("newest"));
  if (!turn) return unmark();
  turn.classList.add("newest");
  moved = false;
  mark(turn, null);
  const link = turn.querySelector(".cite[data-what=cite]");
  const sentence = link && sentencesOf(link)[0];
  if (sentence && innerWidth > 900) scrollTo(sentence, "center");
}

watch("value", () => {
  element.querySelectorAll("details").forEach((details) => (details.open = open.has(details.closest(".turn").id)));
  openRemark();
  const notice = element.querySelector(".notice");
  const now = [...element.querySelectorAll(".turn .question")].map((question) => question.textContent).join("\n");
  const waiting = element.querySelector(".waiting") !== null;
  if (before === `${waiting}${now}`) return notice && scrollTo(notice, "nearest");
  before = `${waiting}${now}`;
  const last = [...element.querySelectorAll(".turn, .notice")].at(-1);
  if (last) scrollTo(last, "nearest");
  showNewest();
});

// Sent by the document's element when it shows another document.
document.addEventListener("qa-document", () => {
  const link = wanted && document.getElementById(wanted);
  wanted = null;
  link ? show(link, true) : showNewest();
});
