"""The chat's page before anything happens on it: parts, looks, and the scripts that go with them."""

from __future__ import annotations

from importlib import resources

import gradio as gr

__all__ = ["DOWNLOAD", "GETTING_READY", "STYLE", "THEME", "Layout"]

_ASSETS = resources.files("app").joinpath("assets")
STYLE = _ASSETS.joinpath("chat.css").read_text(encoding="utf-8")
THEME = gr.themes.Base(
    primary_hue="teal",
    neutral_hue="zinc",
    font=["system-ui", "sans-serif"],  # fonts of the visitor's machine: nothing is fetched
    font_mono=["ui-monospace", "monospace"],
).set(
    # Gradio's own colours are too faint for white letters.
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_800",
)
DOWNLOAD = """(file) => {
  if (!file) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([file.text], { type: file.type }));
  link.download = file.name;
  link.click();
  URL.revokeObjectURL(link.href);
}"""
"""Gives the browser a file to save."""
_DOCUMENT_SHOWN = """
const box = document.getElementById("document");
Object.assign(box, { tabIndex: 0, role: "region", ariaLabel: "Text" });  // it scrolls, so the keyboard must reach it
watch("value", () => {
  box.scrollTop = 0;
  document.dispatchEvent(new CustomEvent("qa-document"));
});
"""
GETTING_READY = '<div class="welcome"><p class="notice" role="status">Getting ready …</p></div>'


class Layout:
    """The parts of the page; made within `gr.Blocks`."""

    def __init__(self) -> None:
        with gr.Row(elem_id="top", equal_height=True):
            gr.HTML("<h1>Ask a document</h1>", elem_id="name", scale=1, min_width=160)
            self.documents = gr.Dropdown(
                [], label="Document", interactive=False, scale=3, min_width=220, elem_id="documents", filterable=False
            )
            self.upload = gr.UploadButton(
                "Add your own (.txt, .md)", file_types=[".txt", ".md"], size="sm", min_width=140, interactive=False, scale=1
            )
            self.remove = gr.Button("Remove", size="sm", min_width=80, interactive=False, scale=0)
        with gr.Row(elem_id="columns"):
            with gr.Column(elem_id="chat", scale=1, min_width=320):
                self.conversation = gr.HTML(
                    GETTING_READY,
                    elem_id="conversation",
                    js_on_load=_ASSETS.joinpath("chat.js").read_text(encoding="utf-8"),
                    apply_default_css=False,
                )
                with gr.Row(elem_id="asking", equal_height=True):
                    self.question = gr.Textbox(
                        label="Your question",
                        placeholder="Ask the document a question",
                        lines=1,
                        max_lines=5,
                        scale=5,
                        interactive=False,
                        elem_id="question",
                    )
                    self.ask = gr.Button("Ask", variant="primary", scale=1, min_width=80, interactive=False, elem_id="ask")
                    self.stop = gr.Button("Stop", variant="stop", scale=1, min_width=80, visible=False, elem_id="stop")
                    self.cancel = gr.Button("Cancel", scale=1, min_width=80, visible=False, elem_id="cancel")
                with gr.Row(elem_id="saving"):
                    self.new = gr.Button("New conversation", size="sm", min_width=120)
                    self.save = {
                        "md": gr.Button("Save as Markdown", size="sm", min_width=120),
                        "json": gr.Button("Save as JSON", size="sm", min_width=120),
                        "html": gr.Button("Save as page", size="sm", min_width=120),
                    }
                self.file = gr.JSON(visible="hidden")
            with gr.Column(elem_id="reading", scale=1, min_width=320):
                self.document = gr.HTML("", elem_id="document", js_on_load=_DOCUMENT_SHOWN, apply_default_css=False)
