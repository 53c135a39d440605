"use client";

import { type ReactNode, useId, useState } from "react";
import { Icon } from "./icons";

interface Props {
  /** What the file chooser offers, as in `accept` of an input. */
  accept: string;
  multiple?: boolean;
  label: string;
  children?: ReactNode;
  onFiles: (files: File[]) => void;
}

/** Files dropped, chosen or pasted. The input itself takes focus and keys, the rest is its label. */
export function DropZone({ accept, multiple = false, label, children, onFiles }: Props) {
  const [over, setOver] = useState(false);
  const hint = useId();
  const take = (list: FileList | null | undefined) => {
    const files = Array.from(list ?? []);
    if (files.length > 0) onFiles(multiple ? files : files.slice(0, 1));
  };
  return (
    <label
      className={over ? "drop over" : "drop"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer.files);
      }}
      onPaste={(event) => take(event.clipboardData.files)}
    >
      <input
        type="file"
        accept={accept}
        multiple={multiple}
        aria-describedby={hint}
        onChange={(event) => {
          take(event.target.files);
          // So that the same file can be chosen again.
          event.target.value = "";
        }}
      />
      <Icon name="drop" />
      <span className="drop-label">{label}</span>
      <span className="drop-hint" id={hint}>
        {children}
      </span>
    </label>
  );
}

/** A drop zone for what the engine reads as photos. */
export function PhotoDrop(props: Pick<Props, "label" | "multiple" | "onFiles">) {
  return (
    <DropZone {...props} accept="image/*">
      JPEG, PNG, WebP, TIFF, GIF or BMP{props.multiple && ", several at once"}
    </DropZone>
  );
}
