// What the page can do only with scripts; without them it says all the same.
"use strict";
(() => {
  const said = document.getElementById("said");

  // Copying: where the browser gives no clipboard to a page like this one, the text is selected and copied as by hand.
  const byHand = (text) => {
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
    const left = rows.filter((row) => row.checkVisibility()).length;
    shown.textContent = shown.dataset.words.replace("{shown}", left).replace("{all}", rows.length);
  };
  if (shown) {
    document.getElementById("results").addEventListener("change", count);
    count();
  }

  // The numbers at the top lead to a part of the page, and where that is the list of all results, to those meant.
  for (const tile of document.querySelectorAll('.tile[href="#results"]')) {
    tile.addEventListener("click", () => {
      document.getElementById("section-all").checked = true;
      document.getElementById(`status-${tile.dataset.status}`).checked = true;
      count();
    });
  }

  // On paper nothing can be opened.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(".more:not([open])")];
    for (const more of opened) more.open = true;
  });
  addEventListener("afterprint", () => {
    for (const more of opened) more.open = false;
  });
})();
