import Link from "next/link";
import { Empty } from "@/components/ui/states";

export const metadata = { title: "Not found" };

export default function NotFound() {
  return (
    <>
      <h1 className="unseen">Not found</h1>
      <Empty icon="search" title="There is no such page.">
        <Link className="button" href="/people/">
          To the people
        </Link>
      </Empty>
    </>
  );
}
