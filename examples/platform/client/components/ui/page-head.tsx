import type { ReactNode } from "react";

interface Props {
  title: ReactNode;
  lead?: ReactNode;
  /** Of whom or what the page is about. */
  picture?: ReactNode;
  /** What can be done there. */
  children?: ReactNode;
}

export function PageHead({ title, lead, picture, children }: Props) {
  return (
    <header className="page-head">
      {picture}
      <div>
        <h1>{title}</h1>
        {lead && <p className="lead">{lead}</p>}
      </div>
      {children && <div className="actions">{children}</div>}
    </header>
  );
}
