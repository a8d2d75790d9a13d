// What the page can do only with scripts; without them it says all the same.
"use strict";
(() => {
  const said = document.getElementById("said");

  // Copying: where the browser gives no clipboard to a page like this one, the text is selected and copied as by hand.
  const byHand = (text) => {
    text.closest("details")?.setAttribute("open", "");
    getSelection().selectAllChildren(text);
    return document.execCommand("copy");
  };
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      return true;
    } catch {
      return byHand(text);
    }
  };
  for (const button of document.querySelectorAll("button.copy")) {
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await copy(document.getElementById(button.dataset.copies));
      said.textContent = button.textContent = done ? button.dataset.done : button.dataset.failed;
      setTimeout(() => {
        button.textContent = label;
        said.textContent = "";
      }, 2500);
    });
  }

  // The filters work by style; how much they leave is counted here.
  const shown = document.getElementById("shown");
  const rows = [...document.querySelectorAll(".row")];
  const count = () => {
    const results = (some) => some.reduce((sum, row) => sum + Number(row.dataset.count), 0);
    const left = rows.filter((row) => row.checkVisibility());
    shown.textContent = shown.dataset.words.replace("{shown}", results(left)).replace("{all}", results(rows));
  };
  if (shown) {
    document.getElementById("results").addEventListener("change", count);
    count();
  }

  // The numbers at the top lead to a part of the page, and where that is the list of all results, to those meant.
  const all = document.getElementById("all");
  all?.addEventListener("toggle", count);
  for (const tile of document.querySelectorAll('.tile[href="#list"]')) {
    tile.addEventListener("click", () => {
      all.open = true;
      document.getElementById("section-all").checked = true;
      document.getElementById(`status-${tile.dataset.status}`).checked = true;
      count();
    });
  }

  // On paper nothing can be opened.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(".more:not([open]), .fold:not([open]), .notes details:not([open])")];
    for (const more of opened) more.open = true;
  });
  addEventListener("afterprint", () => {
    for (const more of opened) more.open = false;
  });
})();
