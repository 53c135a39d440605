"use client";

import Link from "next/link";
import { useSearchParams } from "next/navigation";
import { Fragment, type ReactNode } from "react";
import { Icon, type IconName } from "@/components/ui/icons";
import { Empty } from "@/components/ui/states";
import type { Id } from "@/lib/types";

interface Props {
  /** The list that it stands in. */
  list: { href: string; label: string };
  icon: IconName;
  what: "person" | "video";
  children: (id: Id) => ReactNode;
}

/** A page about one of many, whose id is in the address, with a way back to all of them. */
export function ById({ list, icon, what, children }: Props) {
  const id = useSearchParams().get("id");
  return (
    <>
      <Link className="back" href={list.href}>
        <Icon name="back" />
        {list.label}
      </Link>
      {id ? (
        <Fragment key={id}>{children(id)}</Fragment>
      ) : (
        <>
          <h1 className="unseen">No {what}</h1>
          <Empty icon={icon} title={`No ${what} was chosen.`} />
        </>
      )}
    </>
  );
}
